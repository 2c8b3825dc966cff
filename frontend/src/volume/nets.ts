/**
 * The surface of a solid as a mesh: naive surface nets (Gibson 1998, "Constrained elastic surface nets"), one vertex in each cell that
 * the border crosses, smoothed without shrinking (Taubin 1995). Closed, since what lies outside the samples counts as outside.
 */
import type { Triple } from "../api/types";

export interface Mesh {
  /** x, y, z of each vertex, in samples. */
  positions: Float32Array;
  /** Four vertices of each face, anticlockwise from outside where the axes are right-handed. */
  quads: Uint32Array;
}

/** Half of 255: samples are shares of a cell that is inside. */
const LEVEL = 127.5;

const CORNERS: readonly Triple[] = Array.from({ length: 8 }, (_, n) => [n & 1, (n >> 1) & 1, n >> 2]);
/** Pairs of corners along each edge of a cell. */
const EDGES: readonly [number, number][] = [0, 1, 2].flatMap((axis) =>
  CORNERS.flatMap((corner, n): [number, number][] => (corner[axis] === 0 ? [[n, n | (1 << axis)]] : [])),
);

/** Samples, I fastest, with a border of zeros on every side. */
export function surfaceNets(samples: Uint8Array, shape: Triple): Mesh {
  const [nx, ny, nz] = shape;
  const steps: Triple = [1, nx, nx * ny];
  const offsets = CORNERS.map(([x, y, z]) => x + y * steps[1] + z * steps[2]);
  const positions = new Growing(Float32Array, 3 * 4096);
  const quads = new Growing(Uint32Array, 4 * 4096);
  let [below, here] = [new Int32Array(nx * ny), new Int32Array(nx * ny)];
  for (let z = 0; z < nz - 1; z++) {
    for (let y = 0; y < ny - 1; y++) {
      for (let x = 0, index = y * steps[1] + z * steps[2]; x < nx - 1; x++, index++) {
        let inside = 0;
        for (let n = 0; n < 8; n++) if (samples[index + offsets[n]!]! > LEVEL) inside |= 1 << n;
        if (inside === 0 || inside === 255) continue;
        here[x + y * nx] = positions.length / 3;
        addVertex(positions, samples, index, offsets, inside, x, y, z);
        // Each edge at the first corner belongs to four cells, all of which have their vertices by now.
        const at = x + y * nx;
        const first = inside & 1;
        if (first !== ((inside >> 1) & 1)) addQuad(quads, below[at - nx]!, below[at]!, here[at]!, here[at - nx]!, first === 1);
        if (first !== ((inside >> 2) & 1)) addQuad(quads, below[at - 1]!, here[at - 1]!, here[at]!, below[at]!, first === 1);
        if (first !== ((inside >> 4) & 1)) addQuad(quads, here[at - nx - 1]!, here[at - nx]!, here[at]!, here[at - 1]!, first === 1);
      }
    }
    [below, here] = [here, below];
  }
  return { positions: positions.whole(), quads: quads.whole() };
}

/** In the middle of the places where the border crosses the cell's edges. */
function addVertex(
  to: Growing<Float32Array>,
  samples: Uint8Array,
  index: number,
  offsets: readonly number[],
  inside: number,
  x: number,
  y: number,
  z: number,
): void {
  let [sx, sy, sz, count] = [0, 0, 0, 0];
  for (const [a, b] of EDGES) {
    if (((inside >> a) & 1) === ((inside >> b) & 1)) continue;
    const [from, till] = [samples[index + offsets[a]!]!, samples[index + offsets[b]!]!];
    const share = (LEVEL - from) / (till - from);
    const [p, q] = [CORNERS[a]!, CORNERS[b]!];
    sx += p[0] + share * (q[0] - p[0]);
    sy += p[1] + share * (q[1] - p[1]);
    sz += p[2] + share * (q[2] - p[2]);
    count++;
  }
  to.push(x + sx / count, y + sy / count, z + sz / count);
}

function addQuad(to: Growing<Uint32Array>, a: number, b: number, c: number, d: number, ahead: boolean): void {
  if (ahead) to.push(a, b, c, d);
  else to.push(d, c, b, a);
}

/** A typed array that grows. */
class Growing<T extends Float32Array | Uint32Array> {
  length = 0;
  private values: T;

  constructor(
    private readonly kind: new (length: number) => T,
    size: number,
  ) {
    this.values = new kind(size);
  }

  push(...more: number[]): void {
    if (this.length + more.length > this.values.length) {
      const larger = new this.kind(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    for (const value of more) this.values[this.length++] = value;
  }

  whole(): T {
    return this.values.slice(0, this.length) as T;
  }
}

const ROUNDS = 10;
/** Taubin's pair: a step inwards, then a slightly larger one outwards, so that volume stays. */
const STEPS = [0.5, -0.53] as const;

/** Move each vertex towards the middle of its neighbours and back, in place. */
export function smoothMesh({ positions, quads }: Mesh): void {
  const sums = new Float32Array(positions.length);
  const counts = new Float32Array(positions.length / 3);
  for (let n = 0; n < quads.length; n++) counts[quads[n]!]! += 2;
  for (let round = 0; round < ROUNDS; round++) {
    for (const step of STEPS) {
      sums.fill(0);
      for (let quad = 0; quad < quads.length; quad += 4) {
        for (let n = 0; n < 4; n++) addNeighbours(sums, positions, quads[quad + n]!, quads[quad + ((n + 1) & 3)]!);
      }
      for (let n = 0; n < positions.length; n++) positions[n]! += step * (sums[n]! / counts[(n / 3) | 0]! - positions[n]!);
    }
  }
}

function addNeighbours(sums: Float32Array, positions: Float32Array, a: number, b: number): void {
  for (let axis = 0; axis < 3; axis++) {
    sums[3 * a + axis]! += positions[3 * b + axis]!;
    sums[3 * b + axis]! += positions[3 * a + axis]!;
  }
}

/** Each face as two triangles, parted along its shorter diagonal. */
export function trianglesOf({ positions, quads }: Mesh): Uint32Array {
  const triangles = new Uint32Array((quads.length / 4) * 6);
  const far = (a: number, b: number): number => Math.hypot(...[0, 1, 2].map((axis) => positions[3 * a + axis]! - positions[3 * b + axis]!));
  for (let n = 0, at = 0; n < quads.length; n += 4, at += 6) {
    const [a, b, c, d] = [quads[n]!, quads[n + 1]!, quads[n + 2]!, quads[n + 3]!];
    triangles.set(far(a, c) <= far(b, d) ? [a, b, c, a, c, d] : [a, b, d, b, c, d], at);
  }
  return triangles;
}
