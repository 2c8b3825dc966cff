import { beforeEach, describe, expect, test } from "vitest";
import { sliceOf } from "../src/geometry/plane";
import { drawImage, isWhole } from "../src/render/slice";
import { ChannelWindows, ownWindow } from "../src/state/windows";
import { receivedOf, valueAt, volumeOf } from "../src/volume/volume";
import { headerOf, sessionOf } from "./room";
import { planeOf } from "./scene";

const CT = headerOf([4, 4, 1], {
  dtype: "int16",
  window: [-115, 235],
  value_range: [-1024, 3000],
  modality: "CT",
  presets: [
    { name: "DICOM", low: -115, high: 235 },
    { name: "Auto", low: -1000, high: 900 },
    { name: "Lung", low: -1350, high: 150 },
  ],
});
const MR = headerOf([4, 4, 1], {
  dtype: "float32",
  channels: 4,
  window: [0, 100],
  channel_windows: [
    [0, 100],
    [0, 900],
    [5, 7],
    [0, 1],
  ],
  modality: "MR",
  presets: [{ name: "Auto", low: 0, high: 100 }],
});
const RGB = headerOf([4, 4, 1], { dtype: "uint8", channels: 3, window: [12, 190], presets: [{ name: "Auto", low: 12, high: 190 }] });

beforeEach(() => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  (globalThis as { localStorage?: unknown }).localStorage = storage;
});

const windowsOf = (header: typeof CT, view: "rgb" | number = 0, project = "p") => new ChannelWindows(project, header, () => view);

describe("the first window", () => {
  test("is the file's own", () => {
    expect(windowsOf(CT).value).toEqual({ low: -115, high: 235 });
    expect(windowsOf({ ...CT, channel_windows: [[-900, 300]] }).value, "not what was measured").toEqual({ low: -115, high: 235 });
  });

  test("of a picture in colour is as stored, of all its channels", () => {
    for (const view of ["rgb", 0, 2] as const) expect(ownWindow(RGB, view)).toEqual({ low: 0, high: 255 });
    expect(windowsOf(RGB, "rgb").presets[0]).toEqual({ name: "As stored", low: 0, high: 255 });
  });

  test("is offered once where presets have the same bounds, and a preset kept under another name is still found", () => {
    const liver = {
      ...CT,
      window: [-160, 240] as [number, number],
      presets: [
        { name: "DICOM", low: -160, high: 240 },
        { name: "Soft tissue", low: -160, high: 240 },
        { name: "Lung", low: -1350, high: 150 },
      ],
    };
    expect(windowsOf(liver).presets.map(({ name }) => name)).toEqual(["DICOM", "Lung"]);
    windowsOf({ ...CT, presets: [{ name: "Soft tissue", low: -160, high: 240 }] }).choose({ name: "Soft tissue", low: -160, high: 240 });
    expect(windowsOf({ ...liver, window: [-20, 20], presets: [{ name: "DICOM", low: -20, high: 20 }, ...liver.presets.slice(1)] }).value).toEqual({
      low: -160,
      high: 240,
    });
    const stored = {
      ...RGB,
      presets: [
        { name: "Auto", low: 12, high: 190 },
        { name: "Full", low: 0, high: 255 },
        { name: "As stored", low: 0, high: 255 },
      ],
    };
    expect(windowsOf(stored, "rgb").presets.map(({ name }) => name)).toEqual(["As stored"]);
  });

  test("is each channel's own, and stays it while another is changed", () => {
    const session = sessionOf(null, MR);
    session.channel.value = 1;
    expect(session.window.value).toEqual({ low: 0, high: 900 });
    session.window.value = { low: 1, high: 2 };
    session.channel.value = 2;
    expect(session.window.value).toEqual({ low: 5, high: 7 });
    session.channel.value = 1;
    expect(session.window.value).toEqual({ low: 1, high: 2 });
    expect(session.window.presets[0]).toEqual({ name: "Auto", low: 0, high: 900 });
  });

  test("of three channels that are no picture is not taken for colours", () => {
    expect(sessionOf(null, headerOf([4, 4, 1], { dtype: "float32", channels: 3 })).channel.value).toBe(0);
    expect(sessionOf(null, RGB).channel.value).toBe("rgb");
  });

  test("remembers the preset by project and modality, and not what was dragged", () => {
    windowsOf(CT).choose(CT.presets[2]!);
    windowsOf(CT).value = { low: 3, high: 4 };
    expect(windowsOf(CT).value).toEqual({ low: -1350, high: 150 });
    expect(windowsOf(CT, 0, "other").value).toEqual({ low: -115, high: 235 });
    expect(windowsOf({ ...CT, modality: "MR" }).value).toEqual({ low: -115, high: 235 });
    const next = headerOf([4, 4, 1], { ...CT, presets: [{ name: "Lung", low: -1400, high: 200 }] });
    expect(windowsOf(next).value, "by name, in the next case's own values").toEqual({ low: -1400, high: 200 });
    expect(windowsOf(headerOf([4, 4, 1], { ...CT, presets: [] })).value).toEqual({ low: -115, high: 235 });
  });
});

describe("voxels that are not there yet", () => {
  const header = headerOf([3, 3, 4], { dtype: "int16", channels: 2 });
  const axial = planeOf(2, 0, 1, false, false);
  const coronal = planeOf(1, 0, 2, false, true);

  function part(received: number) {
    const volume = volumeOf(header, new ArrayBuffer(2 * 2 * 36));
    volume.received = received;
    return volume;
  }

  test("are dark where a zero that was measured is bright", () => {
    const pixels = new Uint32Array(12);
    drawImage(pixels, part(18), sliceOf(coronal, header.shape, 1), { low: -1000, high: 0 }, 0);
    const lightest = [...pixels].map((word) => Math.max(word & 255, (word >> 8) & 255, (word >> 16) & 255));
    expect(lightest.slice(6)).toEqual([255, 255, 255, 255, 255, 255]); // the file's first two slices are below
    expect(Math.max(...lightest.slice(0, 6))).toBeLessThan(48);
    expect(new Set(pixels.slice(0, 6)).has(0xff000000), "and are no black voxels either").toBe(false);
  });

  test("count per channel and slice", () => {
    const volume = part(36 + 9);
    expect([receivedOf(volume, 0), receivedOf(volume, 1), receivedOf(volume, "rgb")]).toEqual([36, 9, 0]);
    expect([0, 1].map((k) => isWhole(volume, sliceOf(axial, header.shape, k), 1))).toEqual([true, false]);
    expect(isWhole(volume, sliceOf(coronal, header.shape, 0), 1)).toBe(false);
    expect(isWhole(volume, sliceOf(coronal, header.shape, 0), 0)).toBe(true);
    expect([valueAt(volume, 1, [0, 0, 0]), valueAt(volume, 1, [0, 0, 2])]).toEqual([0, Number.NaN]);
    const session = sessionOf(null, header);
    session.volume.value = volume;
    session.channel.value = 1;
    expect(session.slicesHere).toBe(1);
  });
});
