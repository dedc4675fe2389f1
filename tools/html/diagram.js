"use strict";
/* Small drawings of a few things around a circle: the cycle of a finding, who waits for whom. */

/* nodes: [{name, isThread, title}], edges: [{from, to, label, title}] by index of the node. */
function circleDiagram(nodes, edges, title) {
	const count = nodes.length;
	const radiusX = count === 1 ? 0 : Math.max(120, 38 * count);
	const radiusY = count === 1 ? 0 : count === 2 ? 22 : Math.max(62, 24 * count);
	const above = edges.some((edge) => edge.from === edge.to) ? 75 : 48; // room for a loop and what it says
	const pad = 125, width = 2 * (radiusX + pad), height = 2 * (radiusY + above);
	const at = nodes.map((node, i) => {
		const angle = (2 * Math.PI * i) / count - (count === 2 ? Math.PI : Math.PI / 2);
		return { x: width / 2 + radiusX * Math.cos(angle), y: height / 2 + radiusY * Math.sin(angle) };
	});
	const half = nodes.map((node) => Math.max(24, Array.from(short(node.name, 30)).length * 3.4 + 8));
	const parts = edges.map((edge) => diagramEdge(edge, at, half, edges));
	return svg("svg", { class: "diagram", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title },
		parts.map((part) => part.lines), nodes.map((node, i) => diagramNode(node, at[i], half[i])), parts.map((part) => part.label));
}

function diagramNode(node, at, half) {
	const shape = svg("rect", { class: node.isThread ? "who" : "box cycle", x: at.x - half, y: at.y - 13, width: 2 * half, height: 26, rx: node.isThread ? 13 : 4 });
	return svg("g", null, svg("title", null, node.title || node.name), shape, svg("text", { x: at.x, y: at.y }, short(node.name, 30)));
}

/* Where the line from `inside` towards `outside` leaves the box around `inside`. */
function boxBorder(inside, outside, halfWidth, halfHeight) {
	const dx = outside.x - inside.x, dy = outside.y - inside.y;
	const scale = Math.min(dx ? halfWidth / Math.abs(dx) : Infinity, dy ? halfHeight / Math.abs(dy) : Infinity, 1);
	return { x: inside.x + dx * scale, y: inside.y + dy * scale };
}

function diagramEdge(edge, at, half, edges) {
	const from = at[edge.from], to = at[edge.to];
	if (edge.from === edge.to)
		return diagramLoop(edge, from);
	const back = edges.some((other) => other.from === edge.to && other.to === edge.from);
	const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
	const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
	const bend = back ? 48 : 14;
	const control = { x: middle.x - (bend * (to.y - from.y)) / length, y: middle.y + (bend * (to.x - from.x)) / length };
	const begin = boxBorder(from, control, half[edge.from] + 2, 15), end = boxBorder(to, control, half[edge.to] + 11, 24);
	const label = { x: (begin.x + 2 * control.x + end.x) / 4, y: (begin.y + 2 * control.y + end.y) / 4 };
	return {
		lines: svg("g", null, svg("title", null, edge.title || edge.label),
			svg("path", { class: "edge-line finding", d: `M${begin.x} ${begin.y}Q${control.x} ${control.y} ${end.x} ${end.y}` }),
			svg("path", { class: "edge-head finding", d: arrowHead(control, end) })),
		label: svg("text", { class: "label", x: label.x, y: label.y + (label.y > middle.y + 3 ? 9 : label.y < middle.y - 3 ? -9 : 0) }, short(edge.label || "", 34)),
	};
}

function diagramLoop(edge, at) {
	const end = { x: at.x + 16, y: at.y - 24 };
	return {
		lines: svg("g", null, svg("title", null, edge.title || edge.label),
			svg("path", { class: "edge-line finding", d: `M${at.x - 16} ${at.y - 14}C${at.x - 40} ${at.y - 60} ${at.x + 40} ${at.y - 60} ${end.x} ${end.y}` }),
			svg("path", { class: "edge-head finding", d: arrowHead({ x: at.x + 26, y: at.y - 50 }, end) })),
		label: svg("text", { class: "label", x: at.x, y: at.y - 58 }, short(edge.label || "", 34)),
	};
}

/* A triangle of 9 points ahead of `end`, coming from `before`. */
function arrowHead(before, end) {
	const length = Math.hypot(end.x - before.x, end.y - before.y) || 1;
	const x = (end.x - before.x) / length, y = (end.y - before.y) / length;
	const r = (value) => Math.round(value * 10) / 10;
	return `M${r(end.x - 4 * y)} ${r(end.y + 4 * x)}L${r(end.x + 9 * x)} ${r(end.y + 9 * y)}L${r(end.x + 4 * y)} ${r(end.y - 4 * x)}Z`;
}

/* The locks of a finding's HOLD and ACQUIRE events: who holds what and wants what. */
function cycleDiagram(finding) {
	const nodes = [], index = new Map(), edges = [];
	const nodeOf = (id) => {
		if (!index.has(id)) {
			const lock = finding.locks.find((candidate) => candidate.id === id);
			index.set(id, nodes.length);
			nodes.push({ name: lock ? lock.name : "?", title: lock && lock.origin ? `${lock.name}, ${lock.origin}` : null });
		}
		return index.get(id);
	};
	finding.events.forEach((event, i) => {
		const held = finding.events[i - 1];
		if (event.what !== "acquire" || !held || held.what !== "hold")
			return;
		const thread = finding.threads.find((candidate) => candidate.id === event.thread);
		const from = nodeOf(held.lock), to = nodeOf(event.lock), label = thread ? thread.words : "";
		const title = `${label}: ${stackPlace(event.stack)}`, same = edges.find((edge) => edge.from === from && edge.to === to);
		if (same) { // one line for all who do the same
			same.count++;
			same.label = `${same.count} threads`;
			same.title += "\n" + title;
		} else
			edges.push({ from, to, label, title, count: 1 });
	});
	return edges.length && nodes.length <= 24 ? circleDiagram(nodes, edges, "The locks of this finding and who takes them in which order") : null;
}

/* The wait-for cycle of an actual deadlock: a thread waits for a lock, which another thread holds. */
function waitDiagram(finding) {
	const nodes = [], index = new Map(), edges = [];
	const add = (key, node) => {
		if (!index.has(key)) {
			index.set(key, nodes.length);
			nodes.push(node);
		}
		return index.get(key);
	};
	const thread = (id) => {
		const it = finding.threads.find((candidate) => candidate.id === id);
		return add("thread" + id, { name: it ? it.words : `thread ${id}`, isThread: true });
	};
	const lock = (id) => {
		const it = finding.locks.find((candidate) => candidate.id === id);
		return add("lock" + id, { name: it ? it.name : `lock ${id}`, title: it && it.origin ? `${it.name}, ${it.origin}` : null });
	};
	const steps = finding.state.cycle;
	for (const step of steps) {
		const from = thread(step.thread);
		if (step.waits_for_lock !== null) {
			edges.push({ from, to: lock(step.waits_for_lock), label: "waits for" });
			for (const other of steps)
				if (other.holds.includes(step.waits_for_lock) && !edges.some((edge) => edge.from === lock(step.waits_for_lock) && edge.to === thread(other.thread)))
					edges.push({ from: lock(step.waits_for_lock), to: thread(other.thread), label: "held by" });
		}
		if (step.waits_for_thread !== null)
			edges.push({ from, to: thread(step.waits_for_thread), label: "waits for the end of" });
	}
	return nodes.length && nodes.length <= 32 ? circleDiagram(nodes, edges, "Who waits for whom") : null;
}
