// What piscina and tinypool are to run.

// biome-ignore lint/style/noDefaultExport: that is how they want it.
export default ([a, b]) => a + b;
