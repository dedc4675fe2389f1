"use strict";
/* Where the locks of a graph are drawn. {width, height, at: Map lock -> {x, y, w, h}, lines: Map edge -> {d, head, points}}: x and
 * y are the middle of a box, points are for finding an edge under the pointer. */
const LABEL_MAX = 32, BOX_HEIGHT = 26;

function labelOf(graph, lock) {
	return short(graph.locks[lock][0], LABEL_MAX);
}

function boxWidth(graph, lock) {
	return 6.7 * Array.from(labelOf(graph, lock)).length + 16;
}

const round = (value) => Math.round(value * 10) / 10;

/* A curve of the cubic pieces that `points` has, ending 9 short of what it points at. */
function curve(points) {
	let d = `M${round(points[0].x)} ${round(points[0].y)}C`;
	for (let i = 1; i < points.length; i++)
		d += `${i > 1 ? " " : ""}${round(points[i].x)} ${round(points[i].y)}`;
	const last = points[points.length - 1];
	let before = points[points.length - 2];
	if (Math.hypot(last.x - before.x, last.y - before.y) < 0.5)
		before = points[Math.max(0, points.length - 3)];
	return { d, head: arrowHead(before, last), points };
}

/* Graphviz's "plain" format: inches, y upwards. Null when a lock is missing from it. */
function plainLayout(graph, text, locks, edges) {
	const edgeOf = new Map(edges.map((edge) => [graph.edges[edge][0] + " " + graph.edges[edge][1], edge]));
	const layout = { width: 0, height: 0, at: new Map(), lines: new Map() };
	for (const line of text.replace(/\\\n/g, "").split("\n")) {
		const words = line.split(" "), inch = (i) => 72 * Number(words[i]);
		if (words[0] === "graph") {
			layout.width = inch(2);
			layout.height = inch(3);
		} else if (words[0] === "node") {
			const lock = Number(words[1].slice(1));
			layout.at.set(lock, { x: inch(2), y: layout.height - inch(3), w: inch(4), h: inch(5) });
		} else if (words[0] === "edge") {
			const edge = edgeOf.get(words[1].slice(1) + " " + words[2].slice(1)), points = [];
			for (let i = 0; i < Number(words[3]); i++)
				points.push({ x: inch(4 + 2 * i), y: layout.height - inch(5 + 2 * i) });
			if (edge !== undefined)
				layout.lines.set(edge, curve(points));
		}
	}
	return locks.every((lock) => layout.at.has(lock)) ? inRows(graph, layout, locks, edges) : null;
}

/* Which locks and edges hang together: [{locks, edges}], in the order of their first locks. */
function piecesOf(graph, locks, edges) {
	const pieceOf = new Map(), around = new Map(locks.map((lock) => [lock, []])), pieces = [];
	for (const edge of edges) {
		around.get(graph.edges[edge][0]).push(graph.edges[edge][1]);
		around.get(graph.edges[edge][1]).push(graph.edges[edge][0]);
	}
	for (const root of locks) {
		const open = pieceOf.has(root) ? [] : [root];
		if (open.length) {
			pieceOf.set(root, pieces.length);
			pieces.push({ locks: [], edges: [] });
		}
		while (open.length) {
			const lock = open.pop(), piece = pieceOf.get(lock);
			pieces[piece].locks.push(lock);
			for (const other of around.get(lock))
				if (!pieceOf.has(other)) {
					pieceOf.set(other, piece);
					open.push(other);
				}
		}
	}
	for (const edge of edges)
		pieces[pieceOf.get(graph.edges[edge][0])].edges.push(edge);
	return pieces;
}

/* Pieces that stand side by side in one long row are put in several rows, so that names can be read. */
function inRows(graph, layout, locks, edges) {
	const pieces = piecesOf(graph, locks, edges).map((piece) => {
		const boxes = piece.locks.map((lock) => layout.at.get(lock)), points = piece.edges.flatMap((edge) => (layout.lines.get(edge) || { points: [] }).points);
		const edge = (pick, far) => [...boxes, ...points].reduce((most, p) => pick(most, far(p)), far(boxes[0]));
		const left = edge(Math.min, (p) => p.x - (p.w || 0) / 2), right = edge(Math.max, (p) => p.x + (p.w || 0) / 2);
		const top = edge(Math.min, (p) => p.y - (p.h || 0) / 2), bottom = edge(Math.max, (p) => p.y + (p.h || 0) / 2);
		return { ...piece, left, top, width: right - left + 30, height: bottom - top + 36 };
	}).sort((a, b) => b.height - a.height || a.left - b.left);
	const area = pieces.reduce((sum, piece) => sum + piece.width * piece.height, 0);
	const widest = Math.max(Math.sqrt(area * 1.8), ...pieces.map((piece) => piece.width));
	const packed = { width: 0, height: 0, at: new Map(), lines: new Map() };
	let x = 0, y = 0, high = 0;
	for (const piece of pieces) {
		if (x && x + piece.width > widest) {
			y += high;
			x = high = 0;
		}
		movePiece(packed, layout, piece, x + 15 - piece.left, y + 18 - piece.top);
		x += piece.width;
		high = Math.max(high, piece.height);
		packed.width = Math.max(packed.width, x);
	}
	packed.height = y + high;
	return packed;
}

function movePiece(packed, layout, piece, dx, dy) {
	for (const lock of piece.locks) {
		const at = layout.at.get(lock);
		packed.at.set(lock, { ...at, x: at.x + dx, y: at.y + dy });
	}
	for (const edge of piece.edges)
		if (layout.lines.has(edge))
			packed.lines.set(edge, curve(layout.lines.get(edge).points.map((p) => ({ x: p.x + dx, y: p.y + dy }))));
}

/* Without Graphviz: layers by the longest path (edges that close a cycle turned round), each ordered by the middle of its
 * neighbours, as Sugiyama, Tagawa and Toda do it (1981), with few sweeps and no points between layers. A layer that would be
 * very wide goes on in another row. */
function layeredLayout(graph, locks, edges) {
	const all = { width: 0, height: 0, at: new Map(), lines: new Map() };
	for (const piece of piecesOf(graph, locks, edges))
		movePiece(all, layersLayout(graph, piece.locks, piece.edges), piece, 0, 0);
	return inRows(graph, all, locks, edges);
}

function layersLayout(graph, locks, edges) {
	const layers = layersOf(graph, locks, edges);
	const next = new Map(locks.map((lock) => [lock, []])), before = new Map(locks.map((lock) => [lock, []]));
	for (const edge of edges) {
		next.get(graph.edges[edge][0]).push(graph.edges[edge][1]);
		before.get(graph.edges[edge][1]).push(graph.edges[edge][0]);
	}
	const place = new Map();
	layers.forEach((layer) => layer.forEach((lock, i) => place.set(lock, i)));
	for (let sweep = 0; sweep < 6; sweep++)
		for (const layer of sweep % 2 ? layers.slice().reverse() : layers)
			orderLayer(layer, sweep % 2 ? next : before, place);
	return placeRows(graph, rowsOf(graph, layers), edges);
}

/* An edge of a depth-first search that leads back to a lock still on its path is left out. */
function layersOf(graph, locks, edges) {
	const next = new Map(locks.map((lock) => [lock, []])), state = new Map(), depth = new Map(), order = [], back = new Set();
	for (const edge of edges)
		next.get(graph.edges[edge][0]).push(graph.edges[edge][1]);
	for (const root of locks) {
		const path = state.has(root) ? [] : [{ lock: root, at: 0 }];
		if (path.length)
			state.set(root, "open");
		while (path.length) {
			const top = path[path.length - 1], targets = next.get(top.lock);
			if (top.at === targets.length) {
				state.set(top.lock, "done");
				order.push(top.lock);
				path.pop();
				continue;
			}
			const target = targets[top.at++];
			if (state.get(target) === "open")
				back.add(top.lock + " " + target);
			else if (!state.has(target)) {
				state.set(target, "open");
				path.push({ lock: target, at: 0 });
			}
		}
	}
	for (const lock of order.reverse()) {
		depth.set(lock, depth.get(lock) || 0);
		for (const target of next.get(lock))
			if (!back.has(lock + " " + target))
				depth.set(target, Math.max(depth.get(target) || 0, depth.get(lock) + 1));
	}
	const layers = [];
	for (const lock of locks)
		(layers[depth.get(lock)] = layers[depth.get(lock)] || []).push(lock);
	return layers;
}

function orderLayer(layer, neighbours, place) {
	const middle = new Map(layer.map((lock) => {
		const around = neighbours.get(lock);
		return [lock, around.length ? around.reduce((sum, other) => sum + place.get(other), 0) / around.length : place.get(lock)];
	}));
	layer.sort((a, b) => middle.get(a) - middle.get(b));
	layer.forEach((lock, i) => place.set(lock, i));
}

function rowsOf(graph, layers) {
	const total = layers.flat().reduce((sum, lock) => sum + boxWidth(graph, lock) + 24, 0);
	const widest = Math.max(900, Math.sqrt(total * 90) * 1.6), rows = [];
	for (const layer of layers) {
		let row = [], width = 0;
		for (const lock of layer) {
			if (row.length && width + boxWidth(graph, lock) > widest) {
				rows.push(row);
				row = [];
				width = 0;
			}
			row.push(lock);
			width += boxWidth(graph, lock) + 24;
		}
		rows.push(row);
	}
	return rows;
}

function placeRows(graph, rows, edges) {
	const layout = { width: 0, height: rows.length * 78, at: new Map(), lines: new Map() };
	const widths = rows.map((row) => row.reduce((sum, lock) => sum + boxWidth(graph, lock) + 24, 0));
	layout.width = Math.max(...widths, 1);
	rows.forEach((row, i) => {
		let x = (layout.width - widths[i]) / 2 + 12;
		for (const lock of row) {
			const w = boxWidth(graph, lock);
			layout.at.set(lock, { x: x + w / 2, y: i * 78 + 39, w, h: BOX_HEIGHT });
			x += w + 24;
		}
	});
	for (const edge of edges)
		layout.lines.set(edge, straight(layout.at.get(graph.edges[edge][0]), layout.at.get(graph.edges[edge][1])));
	return layout;
}

function straight(from, to) {
	const down = to.y > from.y, level = to.y === from.y;
	const begin = { x: from.x + (down ? -4 : 4), y: from.y + (down ? 13 : -13) };
	const end = { x: to.x + (down || level ? -4 : 4), y: to.y + (down ? -22 : level ? -22 : 22) };
	const bend = level ? -40 : (end.y - begin.y) / 2;
	return curve([begin, { x: begin.x, y: begin.y + bend }, { x: end.x, y: level ? end.y - 20 : end.y - bend }, end]);
}
