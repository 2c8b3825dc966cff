import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Touches as Fingers } from "../src/tools/touch";

let touches: Fingers;

beforeEach(async () => {
  vi.resetModules();
  touches = new (await import("../src/tools/touch")).Touches();
});

describe("fingers", () => {
  test("one acts as the mouse does; with a second one both move and zoom; a third one rests", () => {
    expect(touches.begin(1, "touch", { x: 0, y: 0 }, true)).toBe("acts");
    expect(touches.move(1, { x: 1, y: 0 })).toBe(null);
    expect(touches.begin(2, "touch", { x: 11, y: 0 }, true)).toBe("pinches");
    expect(touches.begin(3, "touch", { x: 50, y: 50 }, true)).toBe("rests");
    expect(touches.move(2, { x: 21, y: 4 })).toEqual({ factor: Math.hypot(20, 4) / 10, centre: { x: 11, y: 2 }, dx: 5, dy: 2 });
    expect(touches.move(3, { x: 0, y: 0 })).toBe(null);
  });

  test("moving together pan and do not zoom", () => {
    touches.begin(1, "touch", { x: 0, y: 0 }, true);
    touches.begin(2, "touch", { x: 10, y: 0 }, true);
    const steps = [touches.move(1, { x: 4, y: 0 })!, touches.move(2, { x: 14, y: 0 })!];
    expect(steps.reduce((sum, { dx }) => sum + dx, 0)).toBe(4);
    expect(steps.reduce((product, { factor }) => product * factor, 1)).toBeCloseTo(1);
  });

  test("the one that is left after two rests until it is lifted", () => {
    touches.begin(1, "touch", { x: 0, y: 0 }, true);
    touches.begin(2, "touch", { x: 10, y: 0 }, true);
    expect(touches.end(1)).toBe(true);
    expect(touches.rests(2)).toBe(true);
    touches.end(2);
    expect(touches.begin(4, "touch", { x: 0, y: 0 }, true)).toBe("acts");
  });
});

describe("a pen", () => {
  test("draws while a palm rests, whichever came first", () => {
    touches.begin(1, "touch", { x: 0, y: 0 }, true);
    expect(touches.begin(2, "pen", { x: 9, y: 9 }, true)).toBe("acts");
    expect(touches.rests(1)).toBe(true);
    expect(touches.begin(3, "touch", { x: 1, y: 1 }, true)).toBe("rests");
    expect(touches.move(3, { x: 5, y: 5 })).toBe(null);
  });

  test("that was used once keeps fingers from drawing, not from looking", () => {
    touches.begin(2, "pen", { x: 9, y: 9 }, true);
    touches.end(2);
    expect(touches.begin(3, "touch", { x: 1, y: 1 }, true)).toBe("rests");
    touches.end(3);
    expect(touches.begin(4, "touch", { x: 1, y: 1 }, false)).toBe("acts");
    expect(touches.begin(5, "touch", { x: 9, y: 1 }, false)).toBe("pinches");
  });
});
