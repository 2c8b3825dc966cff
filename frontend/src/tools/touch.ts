/** Fingers and pen on one pane: one finger acts as the mouse does, two move and zoom, and a palm does nothing once there is a pen. */
import type { Pixel } from "../geometry/plane";

/** How two fingers moved: zoom by `factor` about `centre`, shift by (dx, dy). */
export interface Pinch {
  factor: number;
  centre: Pixel;
  dx: number;
  dy: number;
}

/** Whoever has used a pen rests a hand on the screen: from then on fingers do not draw. */
let penKnown = false;

export class Touches {
  private readonly fingers = new Map<number, Pixel>();
  private readonly resting = new Set<number>();
  private pen: number | null = null;

  /** What a pointer that comes down does; `draws`: the tool changes something. */
  begin(id: number, type: string, at: Pixel, draws: boolean): "acts" | "pinches" | "rests" {
    if (type === "pen") {
      penKnown = true;
      this.pen = id;
      for (const finger of this.fingers.keys()) this.resting.add(finger);
      this.fingers.clear();
    }
    if (type !== "touch") return "acts";
    if (this.pen !== null || this.fingers.size === 2) {
      this.resting.add(id);
      return "rests";
    }
    this.fingers.set(id, at);
    if (this.fingers.size === 2) return "pinches";
    return penKnown && draws ? "rests" : "acts";
  }

  rests(id: number): boolean {
    return this.resting.has(id);
  }

  /** What two fingers did since the last move; null where there are not two. */
  move(id: number, at: Pixel): Pinch | null {
    const before = this.fingers.get(id);
    if (!before) return null;
    const other = [...this.fingers].find(([finger]) => finger !== id)?.[1];
    this.fingers.set(id, at);
    if (!other) return null;
    const apart = (one: Pixel): number => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
    const centre = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    return { factor: apart(at) / apart(before), centre, dx: (at.x - before.x) / 2, dy: (at.y - before.y) / 2 };
  }

  /** True where it was one of two: the finger that is left acts no more. */
  end(id: number): boolean {
    if (this.pen === id) this.pen = null;
    this.resting.delete(id);
    const pinched = this.fingers.size === 2 && this.fingers.has(id);
    this.fingers.delete(id);
    if (pinched) {
      for (const left of this.fingers.keys()) this.resting.add(left);
      this.fingers.clear();
    }
    return pinched;
  }
}
