"use strict";
/* Tables that are sorted by a click on a column's head. Long ones show a part and a button for more. */
const TABLE_ROWS = 300;

/* columns: [{name, number, cell(row) -> node or text, key(row) -> what is compared}]. */
function sortedTable(caption, columns, rows, first, descending) {
	let by = first, down = Boolean(descending), limit = TABLE_ROWS;
	const body = el("tbody"), more = el("button", { type: "button", click: () => { limit += 10 * TABLE_ROWS; draw(); } });
	const heads = columns.map((column, i) => el("th", { scope: "col", class: column.number ? "number" : null },
		el("button", { type: "button", click: () => { down = by === i ? !down : Boolean(column.number); by = i; draw(); } }, column.name)));
	function draw() {
		const key = columns[by].key, sign = down ? -1 : 1;
		const sorted = rows.slice().sort((a, b) => {
			const left = key(a), right = key(b);
			return sign * (typeof left === "number" ? left - right : String(left).localeCompare(String(right), "en", { numeric: true }));
		});
		heads.forEach((head, i) => {
			if (i === by)
				head.setAttribute("aria-sort", down ? "descending" : "ascending");
			else
				head.removeAttribute("aria-sort");
		});
		body.replaceChildren(...sorted.slice(0, limit).map((row) =>
			el("tr", null, columns.map((column) => el("td", { class: column.number ? "number" : null }, column.cell ? column.cell(row) : String(column.key(row)))))));
		more.hidden = sorted.length <= limit;
		more.textContent = `Show more (${sorted.length - limit} are not shown)`;
	}
	draw();
	return el("div", { class: "table-box" }, el("table", null, el("caption", null, caption), el("thead", null, el("tr", null, heads)), body), more);
}

/* The banker's matrices of an unsafe state: what is free, and by thread what it has, may ask for and still needs. */
function bankerTables(finding) {
	const state = finding.state, stuck = new Set(state.stuck || []);
	const lockName = (resource) => {
		const id = typeof resource === "object" && resource ? resource.lock ?? resource.id : resource;
		const lock = finding.locks.find((candidate) => candidate.id === id);
		return lock ? lock.name : (resource && resource.name) || `lock ${id}`;
	};
	const threadWords = (id) => {
		const thread = finding.threads.find((candidate) => candidate.id === id);
		return (thread ? thread.words : `thread ${id}`) + (stuck.has(id) ? " (can be stuck)" : "");
	};
	const names = state.resources.map(lockName);
	const numbers = (row) => names.map((name, i) => el("td", { class: "number" }, row && row[i] !== undefined ? row[i] : ""));
	const head = el("tr", null, el("th", { scope: "col" }, "thread"), names.map((name) => el("th", { scope: "col", class: "number" }, name)));
	const matrix = (caption, member) => el("div", { class: "table-box" }, el("table", null, el("caption", null, caption), el("thead", null, head.cloneNode(true)),
		el("tbody", null, state.threads.map((row) => el("tr", { class: stuck.has(row.thread) ? "stuck" : null },
			el("th", { scope: "row" }, threadWords(row.thread)), numbers(row[member]))))));
	return el("section", { class: "banker", "aria-label": "Banker's matrices" }, el("h3", null, "The state, as the banker's algorithm sees it"),
		el("div", { class: "table-box" }, el("table", null, el("caption", null, "Available"),
			el("thead", null, el("tr", null, names.map((name) => el("th", { scope: "col", class: "number" }, name)))),
			el("tbody", null, el("tr", null, numbers(state.available))))),
		matrix("Allocation: what each thread has", "allocation"), matrix("Claim: what it can come to want", "claim"),
		matrix("Need: what it may still ask for", "need"));
}
