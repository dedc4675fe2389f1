"use strict";
/* The part "Lock order": which locks and edges are drawn, and what is said of the one that is picked. */
const EDGE = { from: 0, to: 1, finding: 2, acquisitions: 3, thread: 4, many: 5, direct: 6, onCycle: 7, blocks: 8, hold: 9, want: 10 };

class GraphPart {
	constructor(graph) {
		this.graph = graph;
		this.out = graph.locks.map(() => []);
		this.in = graph.locks.map(() => []);
		graph.edges.forEach((edge, i) => {
			this.out[edge[EDGE.from]].push(i);
			this.in[edge[EDGE.to]].push(i);
		});
		this.hasCycles = graph.edges.some((edge) => edge[EDGE.onCycle]);
		this.layouts = new Map();
		this.pick = {};
		this.view = new GraphView(graph, (edge) => this.kindOf(edge), (pick) => this.choose(pick));
		this.side = el("aside", { id: "graph-side", "aria-live": "polite", "aria-label": "What is picked" });
		this.node = el("div", { id: "graph" }, this.tools(), el("div", { style: null }, this.view.node), this.side);
		this.sayNothingPicked();
	}

	kindOf(edge) {
		const it = this.graph.edges[edge];
		return it[EDGE.finding] >= 0 ? "finding" : it[EDGE.onCycle] ? "cycle" : "";
	}

	tools() {
		this.choice = el("select", { id: "graph-choice", "aria-label": "What is drawn", change: () => this.redraw() },
			this.hasCycles ? el("option", { value: "cycles" }, "Locks on cycles") : null,
			el("option", { value: "all" }, `All locks (${this.graph.locks.length.toLocaleString("en")})`),
			el("option", { value: "near" }, "Around the picked lock"));
		this.search = el("input", { type: "search", id: "graph-search", placeholder: "Find a lock by name (Enter)", "aria-label": "Find a lock by name",
			keydown: (event) => { if (event.key === "Enter") this.find(this.search.value); } });
		this.found = el("span", { class: "soft", role: "status" });
		const button = (label, title, act) => el("button", { type: "button", title, "aria-label": title, click: act }, label);
		return el("div", { id: "graph-tools" }, this.choice, this.search, this.found,
			el("span", null, button("+", "Zoom in", () => this.view.zoom(1.25)), " ", button("−", "Zoom out", () => this.view.zoom(0.8)), " ",
				button("Show all", "Zoom to show all", () => this.view.fit())),
			el("span", { class: "key soft" }, this.keyItem("finding", "in a finding"), this.keyItem("cycle", "on a cycle, in no finding"), this.keyItem("", "other orders")));
	}

	keyItem(kind, words) {
		return el("span", null, svg("svg", { width: 24, height: 8, "aria-hidden": "true" }, svg("path", { class: "edge-line " + kind, d: "M0 4H24" })), " ", words);
	}

	/* Called when the part comes into view. */
	open() {
		if (!this.view.layout)
			this.redraw();
		else
			this.view.draw();
	}

	drawn() {
		const all = this.graph.edges.map((edge, i) => i);
		if (this.choice.value === "near" && this.pick.lock !== undefined)
			return this.around(this.pick.lock);
		if (this.choice.value === "cycles")
			return { key: "cycles", edges: all.filter((edge) => this.graph.edges[edge][EDGE.onCycle]),
				locks: this.graph.locks.map((lock, i) => i).filter((lock) => this.graph.locks[lock][4]) };
		return { key: "all", edges: all, locks: this.graph.locks.map((lock, i) => i) };
	}

	/* Two steps, one where that is many. */
	around(lock) {
		const step = (from) => new Set([...from, ...[...from].flatMap((at) => [...this.out[at].map((e) => this.graph.edges[e][EDGE.to]), ...this.in[at].map((e) => this.graph.edges[e][EDGE.from])])]);
		const one = step([lock]), two = step(one), locks = two.size <= 80 ? two : one;
		return { key: "near" + lock, locks: [...locks].sort((a, b) => a - b),
			edges: [...locks].flatMap((at) => this.out[at].filter((e) => locks.has(this.graph.edges[e][EDGE.to]))) };
	}

	redraw() {
		const drawn = this.drawn(), text = this.graph.layouts[drawn.key];
		if (!drawn.locks.length) {
			this.found.textContent = "No lock was wanted while another was held.";
			return;
		}
		if (this.choice.value === "near" && this.pick.lock === undefined)
			this.found.textContent = "Pick a lock first: all are shown.";
		let layout = this.layouts.get(drawn.key);
		if (!layout)
			layout = (text && plainLayout(this.graph, text, drawn.locks, drawn.edges)) || layeredLayout(this.graph, drawn.locks, drawn.edges);
		if (!drawn.key.startsWith("near"))
			this.layouts.set(drawn.key, layout);
		this.view.show(layout);
	}

	find(text) {
		const wanted = text.trim().toLowerCase();
		const hits = wanted ? this.graph.locks.map((lock, i) => i).filter((i) => visible(this.graph.locks[i][0]).toLowerCase().includes(wanted)) : [];
		if (!hits.length) {
			this.found.textContent = wanted ? "No lock has that in its name." : "";
			return;
		}
		/* Enter again goes on to the next. */
		const next = hits[(hits.indexOf(this.pick.lock) + 1) % hits.length];
		this.found.textContent = `${hits.indexOf(next) + 1} of ${hits.length}`;
		this.choose({ lock: next });
		this.view.center([next]);
	}

	/* Show what is picked, in a drawing that has it. */
	choose(pick) {
		const locks = pick.lock !== undefined ? [pick.lock] : [this.graph.edges[pick.edge][EDGE.from], this.graph.edges[pick.edge][EDGE.to]];
		this.pick = pick;
		if (!this.view.layout || !locks.every((lock) => this.view.layout.at.has(lock))) {
			this.choice.value = "all";
			this.redraw();
			this.view.center(locks);
		}
		this.view.mark({ lock: pick.lock, edges: pick.edge !== undefined ? [pick.edge] : [...this.out[pick.lock], ...this.in[pick.lock]] });
		this.side.replaceChildren(...(pick.edge !== undefined ? this.edgeWords(pick.edge) : this.lockWords(pick.lock)));
		this.side.scrollTop = 0;
	}

	edgesOf(finding) {
		return this.graph.edges.map((edge, i) => i).filter((edge) => this.graph.edges[edge][EDGE.finding] === finding.index);
	}

	/* The cycle of a finding, marked and in view. */
	showFinding(finding) {
		const edges = this.edgesOf(finding), locks = [...new Set(edges.flatMap((e) => [this.graph.edges[e][EDGE.from], this.graph.edges[e][EDGE.to]]))];
		this.pick = {};
		this.choice.value = this.hasCycles ? "cycles" : "all";
		this.redraw();
		this.view.mark({ edges });
		this.view.center(locks);
		this.side.replaceChildren(el("h2", null, "Cycle of a finding"), el("p", null, sentence(finding.message)), this.findingButton(finding),
			el("h3", null, "Its edges"), el("ul", null, edges.map((edge) => el("li", null, this.edgeButton(edge)))));
	}

	lockButton(lock) {
		return el("button", { class: "link", type: "button", click: () => { this.choose({ lock }); this.view.center([lock]); } }, this.graph.locks[lock][0]);
	}

	edgeButton(edge) {
		const it = this.graph.edges[edge];
		return el("button", { class: "link", type: "button", click: () => this.choose({ edge }) },
			`${this.graph.locks[it[EDGE.from]][0]} → ${this.graph.locks[it[EDGE.to]][0]}`);
	}

	findingButton(finding) {
		return el("button", { type: "button", click: () => PAGE.showFinding(finding) }, "Open the finding");
	}

	sayNothingPicked() {
		const degree = (list) => (row) => list[row].length;
		const columns = [
			{ name: "Lock", key: (row) => visible(this.graph.locks[row][0]), cell: (row) => this.lockButton(row) },
			{ name: "Kind", key: (row) => this.graph.locks[row][1] },
			{ name: "Under it", number: true, key: degree(this.out) },
			{ name: "Over it", number: true, key: degree(this.in) },
			{ name: "Cycle", number: true, key: (row) => this.graph.locks[row][4] || 0, cell: (row) => this.graph.locks[row][4] || "" },
		];
		this.side.replaceChildren(el("p", null, "An arrow leads from a lock that was held to the lock that was wanted. Pick a lock or an arrow to see who, and where."),
			sortedTable("Locks, by how many are taken under them", columns, this.graph.locks.map((lock, i) => i), 2, true));
	}

	backButton() {
		return el("p", null, el("button", { type: "button", click: () => { this.pick = {}; this.view.mark({}); this.sayNothingPicked(); } }, "All locks"));
	}

	lockWords(lock) {
		const [name, kind, origin, process, component] = this.graph.locks[lock], it = DATA.processes[process];
		const list = (title, edges) => [el("h3", null, title), edges.length
			? el("ul", null, edges.map((edge) => el("li", null, this.edgeButton(edge))))
			: el("p", { class: "soft" }, "none")];
		return [this.backButton(), el("h2", null, name),
			el("p", { class: "meta" }, `${kind}${origin ? ", " + origin : ""}; of ${it ? `${it.program} (pid ${it.pid})` : "all runs"}`),
			component ? el("p", { class: "error" }, "It is on a cycle.") : null,
			el("p", null, el("button", { type: "button", click: () => { this.choice.value = "near"; this.redraw(); } }, "Draw only what is around it")),
			list("Taken while it is held", this.out[lock]), list("Held while it is taken", this.in[lock])].flat(2).filter(Boolean);
	}

	edgeWords(edge) {
		const it = this.graph.edges[edge], finding = DATA.findings.find((candidate) => candidate.index === it[EDGE.finding]);
		const lock = (index) => el("code", null, this.graph.locks[index][0]);
		return [this.backButton(), el("h2", null, lock(it[EDGE.from]), " → ", lock(it[EDGE.to])),
			el("p", { class: "meta" }, `${it[EDGE.thread] || "a thread"}${it[EDGE.many] ? " and others" : ""}; ${plural(it[EDGE.acquisitions], "distinct acquisition")}` +
				(it[EDGE.blocks] ? "" : "; only tries") + (it[EDGE.direct] ? "" : "; follows from other edges")),
			finding ? el("p", { class: "error" }, "A finding shows it: ", this.findingButton(finding))
				: it[EDGE.onCycle] ? el("p", { class: "warning" }, "It is on a cycle, but no finding shows it: something makes that cycle impossible (detect report --verbose says what), or a finding with the same code stands for it.") : null,
			el("h3", null, "Holding ", lock(it[EDGE.from]), ", acquired here"), stackList(it[EDGE.hold]),
			el("h3", null, "Wants ", lock(it[EDGE.to]), " here"), stackList(it[EDGE.want]),
			el("p", null, "Locks: ", this.lockButton(it[EDGE.from]), ", ", this.lockButton(it[EDGE.to]))].filter(Boolean);
	}
}
