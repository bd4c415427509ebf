// How results are shown: a table a comparison, with Curio's cost as a multiple of each peer's, and everything as JSON at the end.

const digits = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

export class Report {
  results = [];
  missed = [];

  /** What a unit of work costs each peer. `limits`: the most that Curio may cost, as a multiple of a peer. */
  costs(name, unit, costs, limits) {
    console.log(`\n${name}`);
    for (const [peer, cost] of Object.entries(costs)) {
      const ratio = costs.curio / cost;
      const limit = limits[peer];
      let verdict = '';
      if (limit !== undefined)
        verdict = `at most ${limit}: ${this.#judge(`${name} / ${peer}`, ratio, limit)}`;
      const multiple = peer === 'curio' || costs.curio === undefined ? '' : `curio is ${ratio.toFixed(2)} ×`;
      console.log(
        `  ${peer.padEnd(12)} ${`${digits(cost)} ${unit}`.padStart(12)}  ${multiple.padEnd(16)}  ${verdict}`.trimEnd(),
      );
    }
    this.results.push({ name, unit, costs, limits });
  }

  /** How much each got done, for the record. */
  rates(rates, unit) {
    const list = Object.entries(rates).map(
      ([name, rate]) => `${name} ${Math.round(rate).toLocaleString('en')}`,
    );
    console.log(`  ${unit}: ${list.join(', ')}`);
    this.results.push({ unit, rates });
  }

  /** Two costs compared that are not shown as such. */
  ratio(name, value, limit) {
    console.log(`  ${name}: ${value.toFixed(2)} ×, at most ${limit}: ${this.#judge(name, value, limit)}`);
    this.results.push({ name, value, limit });
  }

  /** A figure that nothing is expected of. */
  figure(name, value, unit) {
    console.log(`\n${name}: ${digits(value)} ${unit}`);
    this.results.push({ name, unit, value });
  }

  /** A figure of Curio's alone. */
  atMost(name, value, limit, unit) {
    console.log(
      `\n${name}: ${digits(value)} ${unit}, at most ${limit} ${unit}: ${this.#judge(name, value, limit)}`,
    );
    this.results.push({ name, unit, value, limit });
  }

  #judge(name, value, limit) {
    if (value <= limit) return 'reached';
    this.missed.push(`${name}: ${digits(value)}, at most ${limit}`);
    return 'MISSED';
  }

  end() {
    console.log(`\n${JSON.stringify({ node: process.version, arch: process.arch, results: this.results })}`);
    if (this.missed.length > 0) console.log(`\nMissed:\n  ${this.missed.join('\n  ')}`);
  }
}
