/** Whole steps out of wheel events: a notch is one step, a touchpad's trickle adds up to one. */

const NOTCH = 50;
const TRICKLE = 30;
let rest = 0;

export function wheelSteps(event: WheelEvent): number {
  const delta = event.deltaY || event.deltaX;
  if (event.deltaMode !== 0) return Math.sign(delta);
  if (Math.abs(delta) >= NOTCH) {
    rest = 0;
    return Math.sign(delta);
  }
  rest += delta;
  const steps = Math.trunc(rest / TRICKLE);
  rest -= steps * TRICKLE;
  return steps;
}
