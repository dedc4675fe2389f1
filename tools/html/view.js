"use strict";
/* The drawing of a layout: moved, zoomed, picked from by pointer and keys.
 *
 * What is in view is built anew when the view leaves what was built. Many boxes in view are one path without
 * names, and all edges of one kind are one path, so that thousands cost a few elements. */
const NAMED_MAX = 500; /* boxes in view that have elements of their own */
const ZOOM_MAX = 4;

class GraphView {
	/* picked(what): {lock} or {edge} was chosen by the user. kindOf(edge): "", "cycle" or "finding". */
	constructor(graph, kindOf, picked) {
		this.graph = graph;
		this.kindOf = kindOf;
		this.picked = picked;
		this.layer = svg("g");
		this.node = svg("svg", {
			id: "canvas", tabindex: 0, role: "group",
			"aria-label": "Lock-order graph. Arrow keys move, plus and minus zoom, 0 shows all, Tab goes through the locks in view, Enter picks one.",
			keydown: (event) => this.onKey(event), click: (event) => this.onClick(event),
			pointerdown: (event) => this.onDown(event), pointermove: (event) => this.onMove(event),
			pointerup: () => this.onUp(), pointercancel: () => this.onUp(),
		}, this.layer);
		this.node.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
		this.layout = null;
		this.view = { x: 0, y: 0, k: 1 }; /* screen = (graph - x, y) * k */
		this.pick = {};
		this.drag = null;
		new ResizeObserver(() => this.draw()).observe(this.node);
	}

	show(layout) {
		this.layout = layout;
		this.fit();
	}

	size() {
		const box = this.node.getBoundingClientRect();
		return { width: box.width || 800, height: box.height || 600 };
	}

	fit() {
		const { width, height } = this.size();
		const k = Math.min(1.25, (width - 30) / this.layout.width, (height - 30) / this.layout.height);
		this.view = { k, x: this.layout.width / 2 - width / 2 / k, y: this.layout.height / 2 - height / 2 / k };
		this.built = null;
		this.draw();
	}

	/* Bring locks into view, all of them where they fit. */
	center(locks) {
		const places = locks.map((lock) => this.layout.at.get(lock)).filter(Boolean);
		if (!places.length)
			return;
		const { width, height } = this.size();
		const left = Math.min(...places.map((p) => p.x - p.w / 2)), right = Math.max(...places.map((p) => p.x + p.w / 2));
		const top = Math.min(...places.map((p) => p.y - p.h / 2)), bottom = Math.max(...places.map((p) => p.y + p.h / 2));
		const k = Math.min(1.25, (width - 80) / (right - left), (height - 80) / (bottom - top));
		this.view = { k, x: (left + right) / 2 - width / 2 / k, y: (top + bottom) / 2 - height / 2 / k };
		this.draw();
	}

	/* pick: {lock, edges: [edge]} to be marked. */
	mark(pick) {
		this.pick = pick;
		this.built = null;
		this.draw();
	}

	zoom(factor, x, y) {
		const { width, height } = this.size();
		const k = Math.max(0.01, Math.min(ZOOM_MAX, this.view.k * factor));
		const px = x === undefined ? width / 2 : x, py = y === undefined ? height / 2 : y;
		this.view.x += px / this.view.k - px / k;
		this.view.y += py / this.view.k - py / k;
		this.view.k = k;
		this.draw();
	}

	move(dx, dy) {
		this.view.x += dx / this.view.k;
		this.view.y += dy / this.view.k;
		this.draw();
	}

	onKey(event) {
		const keys = {
			ArrowLeft: () => this.move(-60, 0), ArrowRight: () => this.move(60, 0), ArrowUp: () => this.move(0, -60), ArrowDown: () => this.move(0, 60),
			"+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), "0": () => this.fit(),
		};
		const focused = event.target.closest(".lock");
		if (focused && (event.key === "Enter" || event.key === " "))
			this.picked({ lock: Number(focused.dataset.lock) });
		else if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey)
			keys[event.key]();
		else
			return;
		event.preventDefault();
	}

	toGraph(event) {
		const box = this.node.getBoundingClientRect();
		return { x: this.view.x + (event.clientX - box.left) / this.view.k, y: this.view.y + (event.clientY - box.top) / this.view.k };
	}

	onWheel(event) {
		const box = this.node.getBoundingClientRect();
		event.preventDefault();
		this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
	}

	onDown(event) {
		if (event.button === 0)
			this.drag = { x: event.clientX, y: event.clientY, moved: false };
	}

	onMove(event) {
		if (!this.drag)
			return;
		const dx = event.clientX - this.drag.x, dy = event.clientY - this.drag.y;
		if (!this.drag.moved && Math.hypot(dx, dy) < 4)
			return;
		if (!this.drag.moved) {
			this.node.setPointerCapture(event.pointerId);
			this.node.classList.add("dragging");
		}
		this.drag = { x: event.clientX, y: event.clientY, moved: true };
		this.move(-dx, -dy);
	}

	onUp() {
		this.dragged = this.drag && this.drag.moved;
		this.drag = null;
		this.node.classList.remove("dragging");
	}

	onClick(event) {
		if (this.dragged) {
			this.dragged = false;
			return;
		}
		const at = this.toGraph(event), lock = this.lockAt(at), edge = lock === null ? this.edgeAt(at) : null;
		if (lock !== null)
			this.picked({ lock });
		else if (edge !== null)
			this.picked({ edge });
	}

	/* The nearest within a few points of the screen, also of boxes that are drawn very small. */
	lockAt(point) {
		const slack = 4 / this.view.k;
		let best = null, nearest = Infinity;
		for (const [lock, p] of this.layout.at) {
			if (Math.abs(point.x - p.x) > p.w / 2 + slack || Math.abs(point.y - p.y) > p.h / 2 + slack)
				continue;
			const distance = Math.hypot(point.x - p.x, point.y - p.y);
			if (distance < nearest)
				[best, nearest] = [lock, distance];
		}
		return best;
	}

	edgeAt(point) {
		let best = null, nearest = 7 / this.view.k;
		for (const [edge, line] of this.layout.lines)
			for (let i = 0; i + 3 < line.points.length; i += 3) {
				const distance = curveDistance(line.points.slice(i, i + 4), point, nearest);
				if (distance < nearest)
					[best, nearest] = [edge, distance];
			}
		return best;
	}

	draw() {
		if (!this.layout || this.waiting)
			return;
		this.waiting = true;
		requestAnimationFrame(() => {
			this.waiting = false;
			this.build();
			this.layer.setAttribute("transform", `scale(${this.view.k}) translate(${-this.view.x} ${-this.view.y})`);
		});
	}

	/* Elements for what is in view and half a view around it. */
	build() {
		const { width, height } = this.size();
		const w = width / this.view.k, h = height / this.view.k, { x, y, k } = this.view;
		const inside = this.built && x >= this.built.left && y >= this.built.top && x + w <= this.built.right && y + h <= this.built.bottom;
		if (inside && k < this.built.k * 1.6 && k > this.built.k / 1.6)
			return;
		this.built = { left: x - w / 2, top: y - h / 2, right: x + 1.5 * w, bottom: y + 1.5 * h, k };
		const { left, right, top, bottom } = this.built;
		const locks = [...this.layout.at].filter(([, p]) => p.x + p.w > left && p.x - p.w < right && p.y + p.h > top && p.y - p.h < bottom);
		const focused = this.layer.contains(document.activeElement) ? document.activeElement.dataset.lock : null;
		const named = locks.length <= NAMED_MAX && k * 11 > 3.5;
		this.layer.replaceChildren(...this.edgePaths(), ...(named ? locks.map(([lock, p]) => this.lockNode(lock, p)) : this.boxPaths(locks)));
		if (focused)
			(this.layer.querySelector(`[data-lock="${focused}"]`) || this.node).focus({ preventScroll: true });
	}

	edgePaths() {
		const { left, right, top, bottom } = this.built, kinds = { "": ["", ""], cycle: ["", ""], finding: ["", ""], picked: ["", ""] };
		const picked = new Set(this.pick.edges || []);
		for (const [edge, line] of this.layout.lines) {
			if (line.points.every((p) => p.x < left) || line.points.every((p) => p.x > right) || line.points.every((p) => p.y < top) || line.points.every((p) => p.y > bottom))
				continue;
			const kind = kinds[picked.has(edge) ? "picked" : this.kindOf(edge)];
			kind[0] += line.d;
			kind[1] += line.head;
		}
		return Object.entries(kinds).filter(([, [d]]) => d).flatMap(([kind, [d, head]]) =>
			[svg("path", { class: "edge-line " + kind, d }), svg("path", { class: "edge-head " + kind, d: head })]);
	}

	boxPaths(locks) {
		const d = { "box far": "", "box cycle far": "" };
		for (const [lock, p] of locks)
			d[this.graph.locks[lock][4] ? "box cycle far" : "box far"] += `M${round(p.x - p.w / 2)} ${round(p.y - p.h / 2)}h${round(p.w)}v${round(p.h)}h${-round(p.w)}z`;
		const place = this.layout.at.get(this.pick.lock);
		return [...Object.entries(d).map(([kind, path]) => svg("path", { class: kind, d: path })),
			...(place ? [svg("rect", { class: "picked-box", x: place.x - place.w / 2, y: place.y - place.h / 2, width: place.w, height: place.h })] : [])];
	}

	lockNode(lock, p) {
		const [name, kind, origin, , component] = this.graph.locks[lock];
		return svg("g", {
			class: "lock" + (lock === this.pick.lock ? " picked" : ""), tabindex: 0, role: "button", "data-lock": lock,
			"aria-label": `${name}, ${kind}${component ? ", on a cycle" : ""}`, "aria-pressed": String(lock === this.pick.lock),
		}, svg("title", null, origin ? `${name}, ${kind}, ${origin}` : `${name}, ${kind}`),
		svg("rect", { class: component ? "box cycle" : "box", x: p.x - p.w / 2, y: p.y - p.h / 2, width: p.w, height: p.h, rx: 5 }),
		svg("text", { x: p.x, y: p.y }, labelOf(this.graph, lock)));
	}
}

/* From a point to a cubic curve, by eight pieces of it; Infinity when it is farther than `most` from its hull. */
function curveDistance(c, point, most) {
	if (point.x < Math.min(...c.map((p) => p.x)) - most || point.x > Math.max(...c.map((p) => p.x)) + most ||
		point.y < Math.min(...c.map((p) => p.y)) - most || point.y > Math.max(...c.map((p) => p.y)) + most)
		return Infinity;
	let nearest = Infinity, from = c[0];
	for (let i = 1; i <= 8; i++) {
		const t = i / 8, s = 1 - t, weight = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
		const to = { x: c.reduce((sum, p, j) => sum + weight[j] * p.x, 0), y: c.reduce((sum, p, j) => sum + weight[j] * p.y, 0) };
		const dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy;
		const along = length ? Math.max(0, Math.min(1, ((point.x - from.x) * dx + (point.y - from.y) * dy) / length)) : 0;
		nearest = Math.min(nearest, Math.hypot(point.x - from.x - along * dx, point.y - from.y - along * dy));
		from = to;
	}
	return nearest;
}
