/** A rectangle, in the unit of the area it was cut from. */
export interface Tile {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Cuts a rectangle into one tile for each size, as nearly square as the order allows (Bruls, Huizing
 * and van Wijk: Squarified Treemaps). Sizes are above 0 and best given largest first; areas are in
 * proportion to them. It stands by itself, since its text is part of the page that rclone-du writes.
 */
export function squarify(sizes: readonly number[], width: number, height: number): Tile[] {
  const tiles: Tile[] = [];
  let sum = 0;
  for (const size of sizes) sum += size;
  const scale = sum > 0 ? (width * height) / sum : 0;
  let x = 0;
  let y = 0;
  let restWidth = width;
  let restHeight = height;
  let from = 0;
  while (from < sizes.length) {
    const side = Math.min(restWidth, restHeight);
    let area = 0;
    let worst = Infinity;
    let to = from;
    // A row takes tiles as long as its worst one gets no longer than it was.
    while (to < sizes.length) {
      const next = area + (sizes[to] ?? 0) * scale;
      const largest = (sizes[from] ?? 0) * scale;
      const smallest = (sizes[to] ?? 0) * scale;
      const squared = side * side;
      const ratio = Math.max(
        (squared * largest) / (next * next),
        (next * next) / (squared * smallest),
      );
      if (to > from && !(ratio <= worst)) break;
      area = next;
      worst = ratio;
      to += 1;
    }
    const isLast = to === sizes.length;
    const lies = restWidth >= restHeight;
    const thickness = isLast
      ? lies
        ? restWidth
        : restHeight
      : side > 0
        ? Math.min(area / side, lies ? restWidth : restHeight)
        : 0;
    let along = 0;
    for (let at = from; at < to; at += 1) {
      const length = area > 0 ? (((sizes[at] ?? 0) * scale) / area) * side : 0;
      tiles.push(
        lies
          ? { x, y: y + along, width: thickness, height: length }
          : { x: x + along, y, width: length, height: thickness },
      );
      along += length;
    }
    if (lies) {
      x += thickness;
      restWidth -= thickness;
    } else {
      y += thickness;
      restHeight -= thickness;
    }
    from = to;
  }
  return tiles;
}
