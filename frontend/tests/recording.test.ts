/** What a pointer over the image becomes: samples in time, of the pointer or of the crosshair that keys move. */
import { describe, expect, test } from "vitest";
import type { Triple } from "../src/api/types";
import { MOST_SAMPLES, Recording } from "../src/state/recording";

const SHAPE: Triple = [9, 8, 7];
const CROSS: Triple = [1, 1, 1];
const samplesOf = (recording: Recording) => JSON.parse(recording.text(SHAPE)).samples;

describe("a recorded trace", () => {
  test("holds voxels, seconds from its first sample, and the shape of the image", () => {
    const recording = new Recording();
    recording.sample(5000, [2, 3, 4], CROSS);
    recording.sample(5040, [2, 3, 4], CROSS);
    recording.sample(5120.4, [3, 3, 4], CROSS);
    expect(JSON.parse(recording.text(SHAPE))).toEqual({
      shape: SHAPE,
      samples: [
        { time: 0, i: 2, j: 3, k: 4 },
        { time: 0.04, i: 2, j: 3, k: 4 },
        { time: 0.12, i: 3, j: 3, k: 4 },
      ],
    });
    expect([recording.count, recording.seconds]).toEqual([3, 0.12]);
  });

  test("takes nothing down while the pointer is elsewhere", () => {
    const recording = new Recording();
    for (const [now, at] of [
      [0, null],
      [40, [2, 2, 2]],
      [80, null],
      [120, null],
      [160, [2, 3, 2]],
    ] as [number, Triple | null][])
      recording.sample(now, at, CROSS);
    expect(samplesOf(recording).map(({ time, j }: { time: number; j: number }) => [time, j])).toEqual([
      [0, 2],
      [0.12, 3],
    ]);
  });

  test("follows the crosshair that keys move until the pointer moves again", () => {
    const recording = new Recording();
    const steps: [Triple | null, Triple][] = [
      [null, [1, 1, 1]],
      [null, [2, 1, 1]],
      [null, [2, 1, 1]],
      [null, [3, 1, 1]],
      [
        [5, 5, 1],
        [3, 1, 1],
      ],
      [
        [5, 5, 1],
        [3, 2, 1],
      ],
    ];
    steps.forEach(([pointed, crosshair], n) => recording.sample(40 * n, pointed, crosshair));
    expect(samplesOf(recording).map(({ i, j }: { i: number; j: number }) => [i, j])).toEqual([
      [2, 1],
      [2, 1],
      [3, 1],
      [5, 5],
      [3, 2],
    ]);
  });

  test("goes on to the next slice with the wheel, which moves pointer and crosshair at once", () => {
    const recording = new Recording();
    recording.sample(0, [5, 5, 1], [1, 1, 1]);
    recording.sample(40, [5, 5, 2], [1, 1, 2]);
    expect(samplesOf(recording).map(({ i, k }: { i: number; k: number }) => [i, k])).toEqual([
      [5, 1],
      [5, 2],
    ]);
  });

  test("ends somewhere", () => {
    const recording = new Recording();
    for (let n = 0; n < MOST_SAMPLES + 5; n++) recording.sample(n, [1, 1, 1], CROSS);
    expect(recording.count).toBe(MOST_SAMPLES);
  });
});
