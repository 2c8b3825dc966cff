/** Draws surfaces with WebGL 2, lit from the viewer; software rendering will do. */
import type { Triple } from "../api/types";
import type { Camera } from "../geometry/camera";
import type { Surface } from "../volume/surfaces";

const VERTEX = `#version 300 es
in vec3 place;
in vec3 normal;
uniform vec3 right, up, towards, target, scale;
out float light;
void main() {
  vec3 from = place - target;
  gl_Position = vec4(vec3(dot(from, right), dot(from, up), -dot(from, towards)) * scale, 1.0);
  light = 0.25 + 0.75 * abs(dot(normal, towards));
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in float light;
uniform vec3 colour;
out vec4 pixel;
void main() { pixel = vec4(colour * light, 1.0); }`;

/** Depth that is drawn to both sides of the target, in mm: more than any patient. */
const DEPTH_MM = 4000;

interface Loaded {
  surface: Surface;
  array: WebGLVertexArrayObject;
  buffers: WebGLBuffer[];
}

export interface Drawn {
  camera: Camera;
  width: number;
  height: number;
  /** Device pixels per point. */
  ratio: number;
  /** Colours "#rrggbb" by label; a label without one is not drawn. */
  colours: ReadonlyMap<number, string>;
  /** Ends of lines, two by two: the crosshair. */
  lines: readonly Triple[];
}

export class SurfacePainter {
  private readonly loaded = new Map<number, Loaded>();
  private readonly program: WebGLProgram;
  private readonly lineArray: WebGLVertexArrayObject;
  private readonly lineBuffer: WebGLBuffer;

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
  ) {
    this.program = programOf(gl);
    this.lineArray = gl.createVertexArray();
    this.lineBuffer = gl.createBuffer();
    gl.bindVertexArray(this.lineArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lineBuffer);
    this.attribute("place");
    gl.enable(gl.DEPTH_TEST);
  }

  /** Null where the browser or its driver offers no WebGL 2. */
  static on(canvas: HTMLCanvasElement): SurfacePainter | null {
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
    return gl && !gl.isContextLost() ? new SurfacePainter(canvas, gl) : null;
  }

  get surfaces(): Surface[] {
    return [...this.loaded.values()].map(({ surface }) => surface);
  }

  load(surface: Surface): void {
    this.remove(surface.label);
    const { gl } = this;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = [
      this.filled(gl.ARRAY_BUFFER, surface.positions, "place"),
      this.filled(gl.ARRAY_BUFFER, surface.normals, "normal"),
      this.filled(gl.ELEMENT_ARRAY_BUFFER, surface.triangles),
    ];
    this.loaded.set(surface.label, { surface, array, buffers });
  }

  remove(label: number): void {
    const old = this.loaded.get(label);
    if (!old) return;
    this.gl.deleteVertexArray(old.array);
    for (const buffer of old.buffers) this.gl.deleteBuffer(buffer);
    this.loaded.delete(label);
  }

  draw({ camera, width, height, ratio, colours, lines }: Drawn): void {
    const { gl, canvas } = this;
    [canvas.width, canvas.height] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0.04, 0.05, 0.06, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    for (const name of ["right", "up", "towards", "target"] as const) this.uniform(name, camera[name]);
    this.uniform("scale", [(2 * camera.perMm) / width, (2 * camera.perMm) / height, 1 / DEPTH_MM]);
    for (const [label, { array, surface }] of this.loaded) {
      const colour = colours.get(label);
      if (!colour) continue;
      this.uniform("colour", rgb(colour));
      gl.bindVertexArray(array);
      gl.drawElements(gl.TRIANGLES, surface.triangles.length, gl.UNSIGNED_INT, 0);
    }
    this.drawLines(lines, camera);
  }

  close(): void {
    for (const label of [...this.loaded.keys()]) this.remove(label);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private drawLines(lines: readonly Triple[], camera: Camera): void {
    const { gl } = this;
    gl.bindVertexArray(this.lineArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lineBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(lines.flat()), gl.DYNAMIC_DRAW);
    gl.vertexAttrib3f(gl.getAttribLocation(this.program, "normal"), ...camera.towards);
    this.uniform("colour", [1, 1, 1]);
    gl.drawArrays(gl.LINES, 0, lines.length);
  }

  private filled(target: number, values: Float32Array | Uint32Array, attribute?: string): WebGLBuffer {
    const { gl } = this;
    const buffer = gl.createBuffer();
    gl.bindBuffer(target, buffer);
    gl.bufferData(target, values, gl.STATIC_DRAW);
    if (attribute) this.attribute(attribute);
    return buffer;
  }

  private attribute(name: string): void {
    const at = this.gl.getAttribLocation(this.program, name);
    this.gl.enableVertexAttribArray(at);
    this.gl.vertexAttribPointer(at, 3, this.gl.FLOAT, false, 0, 0);
  }

  private uniform(name: string, value: Triple): void {
    this.gl.uniform3f(this.gl.getUniformLocation(this.program, name), ...value);
  }
}

function programOf(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`The shaders of the 3D view do not link: ${gl.getProgramInfoLog(program)}`);
  return program;
}

const rgb = (colour: string): Triple => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255) as Triple;
