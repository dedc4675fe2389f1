"use strict";
/* The part "Findings": a list with filters and search, and one finding with all that is known of it. */
const LIST_STEP = 200;

class FindingsPart {
	constructor(findings, graphPart) {
		this.findings = findings;
		this.graphPart = graphPart;
		this.limit = LIST_STEP;
		this.current = null;
		this.list = el("ul", { id: "list", role: "listbox", tabindex: 0, "aria-label": "Findings", keydown: (event) => this.onKey(event) });
		this.more = el("button", { id: "more", type: "button", click: () => { this.limit += 5 * LIST_STEP; this.drawList(); } });
		this.shown = el("p", { id: "shown", class: "soft", role: "status" });
		this.detail = el("section", { id: "detail", tabindex: -1, "aria-label": "The finding" });
		this.node = el("div", { id: "findings" }, el("div", { id: "list-side" }, this.filters(), this.shown, this.list, this.more), this.detail);
		this.filter();
		this.show(this.visible[0] || null);
	}

	filters() {
		const change = () => this.filter();
		const check = (name, label, on) => {
			const box = el("input", { type: "checkbox", id: "show-" + name, change });
			box.checked = on;
			this.checks[name] = box;
			return el("label", null, box, " ", label);
		};
		const has = (test) => this.findings.some(test);
		const rules = [...new Set(this.findings.map((finding) => finding.rule))].sort();
		this.checks = {};
		this.search = el("input", { type: "search", id: "search", placeholder: "Search names, files, threads (/)", "aria-label": "Search the findings", input: change });
		this.rule = el("select", { id: "rule", "aria-label": "Rule", change }, el("option", { value: "" }, "Every rule"), rules.map((rule) => el("option", { value: rule }, rule)));
		const levels = ["error", "warning", "note"].filter((level) => has((finding) => finding.level === level && !finding.filtered));
		const programs = DATA.processes.length > 1 ? [...new Set(DATA.processes.map((process) => process.program))].sort() : [];
		this.program = el("select", { id: "program", "aria-label": "Program", change }, el("option", { value: "" }, "Every program"), programs.map((name) => el("option", { value: name }, name)));
		this.program.hidden = programs.length < 2;
		return el("div", { id: "filters" }, this.search, this.rule, this.program, levels.map((level) => check(level, level + "s", true)),
			has((finding) => finding.known) ? check("known", "known", true) : null,
			has((finding) => finding.filtered) ? check("filtered", "filtered out", false) : null);
	}

	/* All that can be searched for, in lower case. */
	haystack(finding) {
		if (!finding.haystack) {
			const stacks = new Set(finding.events.map((event) => event.stack).filter((number) => number !== null));
			const frames = [...stacks].flatMap((number) => DATA.stacks[number].filter((index) => index !== null).map((index) => DATA.frames[index]));
			finding.haystack = [finding.message, finding.rule, finding.fingerprint, finding.spot, String(finding.pid),
				...finding.locks.flatMap((lock) => [lock.name, lock.origin]), ...finding.threads.map((thread) => thread.words),
				...frames.flatMap((frame) => [frame[FRAME.function], frame[FRAME.path], frame[FRAME.module]])]
				.filter(Boolean).map(visible).join("\n").toLowerCase();
		}
		return finding.haystack;
	}

	filter() {
		const on = (name) => !this.checks[name] || this.checks[name].checked;
		const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
		this.limit = LIST_STEP;
		this.visible = this.findings.filter((finding) =>
			(finding.filtered ? this.checks.filtered.checked : on(finding.level)) && (!finding.known || on("known")) &&
			(!this.rule.value || finding.rule === this.rule.value) &&
			(!this.program.value || DATA.processes[finding.process].program === this.program.value) &&
			words.every((word) => this.haystack(finding).includes(word)));
		this.drawList();
	}

	drawList() {
		this.list.replaceChildren(...this.visible.slice(0, this.limit).map((finding) => this.item(finding)));
		this.more.hidden = this.visible.length <= this.limit;
		this.more.textContent = `Show more (${(this.visible.length - this.limit).toLocaleString("en")} are not shown)`;
		this.shown.textContent = this.findings.length ? `${this.visible.length.toLocaleString("en")} of ${plural(this.findings.length, "finding")}` : "No finding.";
		this.markItem();
	}

	item(finding) {
		return el("li", { role: "option", id: "item" + finding.index, "aria-selected": "false", click: () => this.show(finding) },
			el("span", { class: "badge " + finding.level }, finding.filtered ? "filtered" : finding.level), " ", finding.rule,
			finding.known ? " (known)" : "", finding.count > 1 ? el("span", { class: "soft" }, ` ×${finding.count.toLocaleString("en")}`) : "", el("br"),
			sentence(finding.message), el("span", { class: "spot soft" }, finding.spot));
	}

	markItem() {
		for (const item of this.list.querySelectorAll("[aria-selected='true']"))
			item.setAttribute("aria-selected", "false");
		const item = this.current && this.list.querySelector("#item" + this.current.index);
		if (!item) {
			this.list.removeAttribute("aria-activedescendant");
			return;
		}
		item.setAttribute("aria-selected", "true");
		this.list.setAttribute("aria-activedescendant", item.id);
		item.scrollIntoView({ block: "nearest" });
	}

	step(by) {
		const at = this.visible.indexOf(this.current), next = this.visible[Math.max(0, Math.min(this.visible.length - 1, at < 0 ? 0 : at + by))];
		if (!next)
			return;
		while (this.visible.indexOf(next) >= this.limit) {
			this.limit += LIST_STEP;
			this.drawList();
		}
		this.show(next);
	}

	onKey(event) {
		const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
		if (event.key === "Enter")
			this.detail.focus();
		else if (event.key in steps)
			this.step(steps[event.key]);
		else
			return;
		event.preventDefault();
	}

	show(finding) {
		this.current = finding;
		this.detail.replaceChildren(...(finding ? this.words(finding) : [el("p", null, "There is no finding here.")]));
		this.detail.scrollTop = 0;
		this.markItem();
		if (finding)
			PAGE.remember("finding=" + finding.fingerprint);
	}

	words(finding) {
		const process = DATA.processes[finding.process];
		const state = finding.state || {};
		const diagram = Array.isArray(state.cycle) && state.cycle.length ? waitDiagram(finding) : cycleDiagram(finding);
		return [
			el("h2", null, el("span", { class: "badge " + finding.level }, finding.level), " ", finding.rule),
			el("p", null, sentence(finding.message)),
			el("p", { class: "meta" }, `${process.program} (pid ${process.pid}); at ${finding.spot}` + (finding.count > 1 ? `; ${finding.count.toLocaleString("en")} instances with the same code` : "") +
				(finding.known ? "; known from the baseline" : "") + (finding.happened ? (finding.broken ? "; it happened, and the closing call was refused" : "; it happened in this run") : "")),
			finding.filtered || finding.reason_text ? el("p", { class: "note" }, `${finding.filtered ? "No finding" : "Only a " + finding.level}: ${finding.reason_text || finding.reason}`) : null,
			finding.advice ? el("p", { class: "advice" }, el("b", null, "What to change: "), sentence(finding.advice)) : null,
			diagram, this.graphButton(finding),
			Array.isArray(state.resources) ? bankerTables(finding) : null,
			el("div", { class: "threads" }, this.columns(finding)),
			this.explanation(finding.rule),
			el("p", { class: "meta" }, "Fingerprint ", el("code", null, finding.fingerprint)),
		].flat().filter(Boolean);
	}

	graphButton(finding) {
		return this.graphPart && this.graphPart.edgesOf(finding).length
			? el("p", null, el("button", { type: "button", id: "to-graph", click: () => PAGE.showInGraph(finding) }, "Show in the lock-order graph")) : null;
	}

	/* Events in a row of one thread are one column. */
	columns(finding) {
		const columns = [];
		for (const event of finding.events) {
			const last = columns[columns.length - 1];
			if (last && last.thread === event.thread && last.pid === event.pid)
				last.events.push(event);
			else
				columns.push({ thread: event.thread, pid: event.pid, events: [event] });
		}
		return columns.map((column) => {
			const thread = finding.threads.find((candidate) => candidate.id === column.thread);
			return el("article", { class: "thread" }, el("h3", null, thread ? thread.words : column.thread ? `thread ${column.thread}` : "an unknown thread",
				column.pid && column.pid !== finding.pid ? ` of process ${column.pid}` : ""),
			thread && thread.created ? el("p", { class: "soft" }, thread.created.replace(/^, /, "")) : null,
			column.events.map((event) => this.event(event)),
			thread && thread.created_at !== null ? el("details", null, el("summary", null, "Where this thread was created"), stackList(thread.created_at)) : null);
		});
	}

	event(event) {
		return el("div", { class: "event" }, el("p", null, sentence(event.words)), event.also ? el("p", { class: "soft" }, sentence(event.also)) : null, stackList(event.stack));
	}

	explanation(name) {
		const rule = DATA.rules[name];
		return rule ? el("details", null, el("summary", null, `What ${name} means and how to mend it`),
			el("div", { class: "explain" }, el("p", null, el("b", null, rule.summary)), rule.text.split("\n").flatMap((line) => [line, el("br")]))) : null;
	}
}
