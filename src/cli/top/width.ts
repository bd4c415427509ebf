/*
 * How much room text takes in a terminal, where some characters take two places and some none. `node:readline` knows and does not
 * tell; what a package would add to this are the rarer scripts.
 */

const SEGMENTS = new Intl.Segmenter();
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])/u;
const NONE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const ORDINARY = /^[\u0020-\u007e]*$/;

function placesOf(segment: string): number {
  if (NONE.test(segment)) return 0;
  return WIDE.test(segment) ? 2 : 1;
}

/** Cuts or fills text so that it takes exactly so many places. */
export function sized(text: string, width: number): string {
  if (width <= 0) return '';
  if (ORDINARY.test(text)) return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
  let taken = 0;
  let kept = '';
  let keptPlaces = 0;
  for (const { segment } of SEGMENTS.segment(text)) {
    const places = placesOf(segment);
    taken += places;
    if (taken > width) return `${kept}…${' '.repeat(width - 1 - keptPlaces)}`;
    // Room for the sign of what is missing.
    if (taken < width) {
      kept += segment;
      keptPlaces = taken;
    }
  }
  return text + ' '.repeat(width - taken);
}
