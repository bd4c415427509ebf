// What test/programs/workers.ts imports. Its functions use what they cannot take along as a copy.

let calls = 0;
const sides = new Map<string, number>();

export function area(a: number, b: number): number {
  sides.set(`${a}`, b);
  return a * (sides.get(`${a}`) as number);
}

export function counted(): number {
  return ++calls;
}

export class Box {
  readonly side: number;
  constructor(side: number) {
    this.side = side;
  }
  volume(): number {
    return area(this.side, this.side) * this.side;
  }
}

function times(factor: number): (x: number) => number {
  const scaling = (x: number) => x * factor;
  return scaling;
}

export const scaling = times(2);
export const tripling = times(3);
