import { beforeEach, describe, expect, test } from "vitest";
import type { Preset } from "../src/api/types";
import { sliceOf } from "../src/geometry/plane";
import { brightness, greyTable, type Window } from "../src/render/lut";
import { drawImage, isWhole } from "../src/render/slice";
import { ChannelWindows, ownWindow } from "../src/state/windows";
import { receivedOf, valueAt, volumeOf } from "../src/volume/volume";
import { headerOf, presetOf, sessionOf } from "./room";
import { planeOf } from "./scene";

const CT = headerOf([4, 4, 1], {
  dtype: "int16",
  modality: "CT",
  unit: "HU",
  channel_presets: [[presetOf("DICOM", -115, 235, "linear"), presetOf("Auto", -1000, 900), presetOf("Lung", -1350, 150)]],
});
const MR = headerOf([4, 4, 1], {
  dtype: "float32",
  channels: 4,
  modality: "MR",
  channel_presets: [[presetOf("Auto", 0, 100)], [presetOf("Auto", 0, 900)], [presetOf("Auto", 5, 7)], [presetOf("Auto", 0, 1)]],
});
const RGB = headerOf([4, 4, 1], {
  dtype: "uint8",
  channels: 3,
  colour: true,
  channel_presets: Array.from({ length: 3 }, () => [presetOf("As stored", 0, 255)]),
});

beforeEach(() => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  (globalThis as { localStorage?: unknown }).localStorage = storage;
});

const windowsOf = (header: typeof CT, view: "rgb" | number = 0, project = "p") => new ChannelWindows(project, header, () => view);
const withPresets = (header: typeof CT, ...presets: Preset[]) => headerOf([4, 4, 1], { ...header, channel_presets: [presets] });

describe("the first window", () => {
  test("is the file's own", () => {
    expect(windowsOf(CT).value).toEqual({ low: -115, high: 235, curve: "linear" });
  });

  test("of a picture in colour is as stored, of all its channels", () => {
    for (const view of ["rgb", 0, 2] as const) expect(ownWindow(RGB, view)).toMatchObject({ low: 0, high: 255 });
    expect(windowsOf(RGB, "rgb").presets[0]).toMatchObject({ name: "As stored", low: 0, high: 255 });
  });

  test("is offered once where presets have the same bounds, and a preset kept under another name is still found", () => {
    const liver = withPresets(CT, presetOf("DICOM", -160, 240), presetOf("Abdomen", -160, 240), presetOf("Lung", -1350, 150));
    expect(windowsOf(liver).presets.map(({ name }) => name)).toEqual(["DICOM", "Lung"]);
    windowsOf(withPresets(CT, presetOf("Abdomen", -160, 240))).choose(presetOf("Abdomen", -160, 240));
    expect(windowsOf(withPresets(CT, presetOf("DICOM", -20, 20), presetOf("Abdomen", -160, 240))).value).toMatchObject({ low: -160, high: 240 });
  });

  test("is each channel's own, and stays it while another is changed", () => {
    const session = sessionOf(null, MR);
    session.channel.value = 1;
    expect(session.window.value).toMatchObject({ low: 0, high: 900 });
    session.window.value = { low: 1, high: 2 };
    session.channel.value = 2;
    expect(session.window.value).toMatchObject({ low: 5, high: 7 });
    session.channel.value = 1;
    expect(session.window.value).toMatchObject({ low: 1, high: 2 });
    expect(session.window.presets[0]).toMatchObject({ name: "Auto", low: 0, high: 900 });
  });

  test("of three channels that are no picture is not taken for colours", () => {
    for (const dtype of ["float32", "uint16", "uint8"]) {
      const session = sessionOf(null, headerOf([4, 4, 1], { dtype, channels: 3 }));
      expect([session.channel.value, session.channelViews]).toEqual([0, [0, 1, 2]]);
    }
    expect(sessionOf(null, RGB).channel.value).toBe("rgb");
  });
});

describe("the window of the next case", () => {
  test("is the preset by project and modality, in the next case's own values", () => {
    windowsOf(CT).choose(CT.channel_presets[0]![2]!);
    expect(windowsOf(CT).value).toMatchObject({ low: -1350, high: 150 });
    expect(windowsOf(CT, 0, "other").value).toMatchObject({ low: -115, high: 235 });
    expect(windowsOf({ ...CT, modality: "MR" }).value).toMatchObject({ low: -115, high: 235 });
    expect(windowsOf(withPresets(CT, presetOf("DICOM", 0, 9), presetOf("Lung", -1400, 200))).value).toMatchObject({ low: -1400, high: 200 });
    expect(windowsOf(withPresets(CT, presetOf("Auto", 0, 9))).value).toMatchObject({ low: 0, high: 9 });
  });

  test("is the dragged one in the same units, and at the same place of the own window where values differ from scan to scan", () => {
    const drag = (header: typeof CT, low: number, high: number): void => {
      const windows = windowsOf(header);
      windows.value = { low, high };
      windows.keep();
    };
    drag(CT, 3, 4);
    expect(windowsOf(withPresets(CT, presetOf("DICOM", 0, 9))).value).toMatchObject({ low: 3, high: 4 });
    drag(withPresets(MR, presetOf("Auto", 100, 200)), 150, 180);
    expect(windowsOf(withPresets(MR, presetOf("Auto", 0, 1000))).value).toMatchObject({ low: 500, high: 800 });
    expect(windowsOf(withPresets({ ...MR, unit: "SUV" }, presetOf("Auto", 0, 10))).value, "another kind of values").toMatchObject({ low: 0, high: 10 });
  });

  test("is the file's own again after a reset", () => {
    const windows = windowsOf(CT);
    windows.choose(CT.channel_presets[0]![2]!);
    windows.invert();
    windows.reset();
    expect(windows.value).toEqual({ low: -115, high: 235, curve: "linear" });
    expect(windowsOf(withPresets(CT, presetOf("DICOM", 1, 2), presetOf("Lung", 3, 4))).value).toMatchObject({ low: 1, high: 2 });
  });

  test("stays inverted, also where the file asks for it", () => {
    windowsOf(CT).invert();
    expect(windowsOf(CT).value.inverted).toBe(true);
    expect(windowsOf({ ...CT, modality: "PT", inverted: true }).value.inverted).toBe(true);
    windowsOf({ ...CT, modality: "PT", inverted: true }).invert();
    expect(windowsOf({ ...CT, modality: "PT", inverted: true }).value.inverted).toBeUndefined();
    expect(windowsOf({ ...RGB, inverted: true }, "rgb").value.inverted, "colours stay as stored").toBeUndefined();
  });
});

describe("DICOM's functions (PS3.3 C.11.2.1.2 and C.11.2.1.3)", () => {
  const levels = (values: number[], window: Window): number[] => values.map((value) => brightness(value, window));

  test("LINEAR is white from the last value of the window on", () => {
    // centre 2048, width 4096: y = ((x − 2047.5) / 4095 + 0.5) · 255
    expect(levels([0, 1, 2048, 4094, 4095], { low: 0, high: 4096, curve: "linear" })).toEqual([0, 0, 128, 255, 255]);
    // centre 2, width 4
    expect(levels([0, 1, 2, 3, 4], { low: 0, high: 4, curve: "linear" })).toEqual([0, 85, 170, 255, 255]);
    expect(levels([0, 1, 2, 3, 4], { low: 0, high: 4 })).toEqual([0, 64, 128, 191, 255]);
  });

  test("LINEAR of width 1 is a step below its centre", () => {
    expect(levels([99, 99.4, 99.6, 100, 101], { low: 99.5, high: 100.5, curve: "linear" })).toEqual([0, 0, 255, 255, 255]);
  });

  test("SIGMOID is an S", () => {
    // y = 255 / (1 + exp(−4 (x − 50) / 100))
    expect(levels([-1000, 0, 50, 100, 1000], { low: 0, high: 100, curve: "sigmoid" })).toEqual([0, 30, 128, 225, 255]);
  });

  test("no window makes anything but 0 to 255, and inversion mirrors it", () => {
    for (const curve of ["exact", "linear", "sigmoid"] as const) {
      for (const [low, high] of [
        [0, 0],
        [5, 5.5],
        [-1e9, 1e9],
        [3, 2],
      ] as const) {
        for (const value of [-3e38, -1, 0, 5, 5.2, 3e38]) {
          const level = brightness(value, { low, high, curve });
          expect(Number.isInteger(level) && level >= 0 && level <= 255).toBe(true);
          expect(brightness(value, { low, high, curve, inverted: true })).toBe(255 - level);
        }
      }
    }
  });

  test("signed values keep their order in the table", () => {
    const values = Int16Array.of(-1024, -1, 0, 1, 3071);
    const table = greyTable(values, { low: -1024, high: 3072, curve: "linear" })!;
    expect([...values].map((value) => table[value & 0xffff]! & 255)).toEqual([0, 64, 64, 64, 255]);
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
