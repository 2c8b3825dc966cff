import { describe, expect, test } from "vitest";
import { frameAfter, framesText, frameText, lengthOf, timesOf } from "../src/geometry/frames";
import { Film } from "../src/state/film";
import { isOffered, propagationText, traceText } from "../src/state/operations";

describe("the time of a frame", () => {
  const uneven = [0, 0.03, 0.08, 0.1];

  test("is the file's own where it has one for every frame, else that of 25 a second", () => {
    expect(timesOf(uneven, 4)).toEqual(uneven);
    expect(timesOf(uneven, 3)).toEqual([0, 0.04, 0.08]);
    expect(frameText(uneven, 4, 2)).toBe("Frame 3 of 4 · 0.08 s");
    expect(frameText([], 4, 2)).toBe("Frame 3 of 4");
  });

  test("decides which frame is shown, and the film begins again behind its last one", () => {
    const shown = [0, 0.029, 0.03, 0.079, 0.085, 0.1, 0.119, 0.121, 0.151].map((seconds) => frameAfter(uneven, 0, seconds));
    expect(shown).toEqual([0, 0, 1, 1, 2, 3, 3, 0, 1]);
    expect(frameAfter(uneven, 2, 0.02)).toBe(3);
    expect(lengthOf(uneven)).toBeCloseTo(0.12);
  });

  test("that does not go on is no reason to stand still", () => {
    expect(lengthOf([0])).toBeGreaterThan(0);
    expect(lengthOf([0, 0, 0])).toBeGreaterThan(0);
    expect(frameAfter([0, 0, 0], 0, 0.01)).toBe(2);
  });
});

test("numbers of frames are written as people count them", () => {
  expect(framesText([0, 1, 2, 5, 7, 8])).toBe("1–3, 6, 8–9");
  expect(framesText([])).toBe("");
});

describe("playing", () => {
  function room() {
    const drawn: ((now: number) => void)[] = [];
    const shown: number[] = [0];
    const film = new Film(
      { frame_seconds: [0, 0.1, 0.2], shape: [1, 1, 3] },
      () => shown.at(-1)!,
      (frame) => shown.push(frame),
      (draw) => drawn.push(draw),
    );
    return { film, shown, tick: (now: number) => drawn.splice(0).forEach((draw) => draw(now)) };
  }

  test("shows each frame in its time, round and round, until it is paused", () => {
    const { film, shown, tick } = room();
    film.toggle();
    for (const now of [1000, 1050, 1100, 1250, 1310]) tick(now);
    expect(shown).toEqual([0, 1, 2, 0]);
    film.toggle();
    tick(1400);
    expect(shown).toEqual([0, 1, 2, 0]);
    expect(film.playing.value).toBe(false);
  });

  test("goes on from where somebody went meanwhile", () => {
    const { film, shown, tick } = room();
    film.play();
    tick(0);
    shown.push(2);
    tick(50);
    tick(160);
    expect(shown).toEqual([0, 2, 0]);
  });

  test("that is begun twice runs once", () => {
    const { film, shown, tick } = room();
    film.play();
    film.play();
    tick(0);
    tick(110);
    expect(shown).toEqual([0, 1]);
  });
});

test("an operation is offered where it means something", () => {
  const picture = { isPicture: true, isFilm: false };
  const film = { isPicture: false, isFilm: true };
  const volume = { isPicture: false, isFilm: false };
  const offered = (kind: Parameters<typeof isOffered>[0]) => [picture, film, volume].map((one) => isOffered(kind, one));
  expect(offered("propagate")).toEqual([false, true, false]);
  expect(offered("carry")).toEqual([false, false, true]);
  expect(offered("copy")).toEqual([false, true, true]);
  expect(offered("smooth")).toEqual([true, true, true]);
});

test("a propagation says from which frames it comes, which it reaches, and where it is least sure", () => {
  expect(propagationText({ drawn: [2], reached: [0, 1, 3], weakest: null, agreement: null })).toBe("; frames 1–2, 4 from frame 3");
  expect(propagationText({ drawn: [0, 9], reached: [4], weakest: 4, agreement: 0.8123 })).toBe(
    "; frames 5 from frames 1, 10; least sure at frame 5 (agreement 0.81)",
  );
});

test("a trace says which slices it looked at, from how much, and how sure that is", () => {
  const made = { samples: 120, seconds: 6.04, slices: [2, 3, 4], expected_dice: 0.807 };
  expect(traceText({ sliceWord: "slice" }, made)).toBe("; slices 3–5 from 120 samples of 6.0 s, expected Dice 0.81 (a heuristic)");
});
