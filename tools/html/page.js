"use strict";
/* The page: its data, its parts, and the address behind '#': a finding or a part, so that a link can name it. */
const DATA = JSON.parse(document.getElementById("data").textContent);

const THEMES = ["system", "light", "dark"];

class Page {
	constructor() {
		this.tabs = [];
		this.theme = 0;
	}

	start() {
		document.getElementById("plain").remove();
		document.getElementById("head").hidden = false;
		this.fillHead();
		this.graphPart = DATA.graph.edges.length ? new GraphPart(DATA.graph) : null;
		this.findingsPart = new FindingsPart(DATA.findings, this.graphPart);
		this.addTab("findings", `Findings (${DATA.findings.filter((finding) => !finding.filtered).length.toLocaleString("en")})`, this.findingsPart.node);
		if (this.graphPart)
			this.addTab("graph", "Lock order", this.graphPart.node, () => this.graphPart.open());
		if (DATA.contention.length)
			this.addTab("contention", `Contention (${DATA.contention.length.toLocaleString("en")})`, contentionPart());
		this.addTab("processes", `Processes (${DATA.processes.length.toLocaleString("en")})`, this.processes());
		window.addEventListener("hashchange", () => this.goTo(location.hash));
		document.addEventListener("keydown", (event) => this.onKey(event));
		this.open("findings");
		this.goTo(location.hash);
		this.started = true;
		document.documentElement.dataset.ready = "yes";
	}

	fillHead() {
		const names = [...new Set(DATA.processes.map((process) => process.program))], title = names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
		document.title = visible(title ? `${title}: libdetect report` : "libdetect report");
		document.getElementById("programs").textContent = visible(title);
		const counts = ["error", "warning", "note"].map((level) => el("span", { class: DATA.summary[level] ? level : "soft" }, el("b", null, DATA.summary[level].toLocaleString("en")), ` ${level}${DATA.summary[level] === 1 ? "" : "s"}`));
		for (const apart of ["known", "suppressed"])
			if (DATA.summary[apart])
				counts.push(el("span", { class: "soft" }, `${DATA.summary[apart].toLocaleString("en")} ${apart}`));
		fill(document.getElementById("counts"), { title: DATA.words }, counts);
		const notices = DATA.notices.concat(DATA.graph.cut ? ["The lock-order graph has very many edges: only those on cycles are here, 50,000 at most."] : [],
			DATA.graph.reduced ? ["Of acquisitions under very many locks the graph has only the innermost edge."] : []);
		const lines = notices.map((notice) => el("p", { role: "note" }, notice));
		fill(document.getElementById("notices"), null, lines.length <= 3 ? lines : [el("details", null, el("summary", null, `${lines.length} notes on what limits this report`), lines)]);
		document.getElementById("theme").addEventListener("click", () => this.nextTheme());
		this.setTheme();
	}

	setTheme() {
		const name = THEMES[this.theme];
		if (name === "system")
			delete document.documentElement.dataset.theme;
		else
			document.documentElement.dataset.theme = name;
		document.getElementById("theme").textContent = `Colours: ${name}`;
	}

	nextTheme() {
		this.theme = (this.theme + 1) % THEMES.length;
		this.setTheme();
	}

	addTab(name, title, panel, opened) {
		const tab = el("button", { role: "tab", id: "tab-" + name, type: "button", "aria-controls": "panel-" + name, "aria-selected": "false", tabindex: -1, click: () => this.open(name), keydown: (event) => this.onTabKey(event) }, title);
		const box = fill(panel, { role: "tabpanel", "aria-labelledby": "tab-" + name }, []);
		const outer = el("div", { id: "panel-" + name, hidden: true, role: "presentation" }, box);
		outer.style.height = "100%";
		document.getElementById("tabs").append(tab);
		document.getElementById("main").append(outer);
		this.tabs.push({ name, tab, panel: outer, opened });
	}

	open(name) {
		for (const it of this.tabs) {
			it.tab.setAttribute("aria-selected", String(it.name === name));
			it.tab.tabIndex = it.name === name ? 0 : -1;
			it.panel.hidden = it.name !== name;
		}
		const it = this.tabs.find((candidate) => candidate.name === name);
		if (it.opened)
			it.opened();
		if (name !== "findings")
			this.remember(name);
		else if (this.findingsPart.current)
			this.remember("finding=" + this.findingsPart.current.fingerprint);
	}

	onTabKey(event) {
		const at = this.tabs.findIndex((it) => it.tab === event.target), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (!step)
			return;
		const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
		this.open(next.name);
		next.tab.focus();
	}

	onKey(event) {
		if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea"))
			return;
		const keys = {
			"/": () => { this.open("findings"); this.findingsPart.search.focus(); },
			j: () => this.findingsPart.step(1), k: () => this.findingsPart.step(-1),
			g: () => this.graphPart && this.open("graph"), f: () => this.open("findings"), t: () => this.nextTheme(),
		};
		if (!Object.hasOwn(keys, event.key))
			return;
		event.preventDefault();
		keys[event.key]();
	}

	showFinding(finding) {
		this.open("findings");
		this.findingsPart.show(finding);
		this.findingsPart.detail.focus();
	}

	showInGraph(finding) {
		this.open("graph");
		this.graphPart.showFinding(finding);
	}

	/* In the address, without a new step of the browser's history for each look. */
	remember(what) {
		if (this.started && location.hash !== "#" + what)
			history.replaceState(null, "", "#" + what);
	}

	goTo(hash) {
		const what = hash.slice(1), part = this.tabs.find((it) => it.name === what);
		const finding = what.startsWith("finding=") && DATA.findings.find((candidate) => candidate.fingerprint === what.slice("finding=".length));
		if (part)
			this.open(part.name);
		else if (finding)
			this.showFinding(finding);
	}

	processes() {
		const end = (process) => (process.signal !== null ? `signal ${process.signal}` : process.exit !== null ? `exit ${process.exit}` : "not seen");
		const columns = [
			{ name: "Pid", number: true, key: (process) => process.pid }, { name: "Parent", number: true, key: (process) => process.ppid },
			{ name: "Program", key: (process) => visible(process.program) },
			{ name: "Arguments", key: (process) => process.argv.map(visible).join(" "), cell: (process) => el("code", null, process.argv.join(" ")) },
			{ name: "End", key: end }, { name: "Threads", number: true, key: (process) => process.threads },
			{ name: "Locks", number: true, key: (process) => process.locks }, { name: "Distinct acquisitions", number: true, key: (process) => process.acquisitions },
		];
		return el("div", { class: "padded" }, el("p", null, DATA.words), sortedTable("What was seen", columns, DATA.processes, 0, false),
			el("p", { class: "soft" }, `Made by libdetect ${DATA.version}. Keys: / search, j and k next and previous finding, f findings, g graph, t colours.`));
	}
}

const PAGE = new Page();
PAGE.start();
