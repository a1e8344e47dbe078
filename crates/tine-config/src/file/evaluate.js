// Loads a process file and writes what it exports to descriptor 3, as JSON. Run by Node, Bun or Deno
// with the constants FILE and ODD before it; without import statements, so that it does not matter
// whether the runtime takes it for a module.
(async () => {
  const fs = await import("node:fs");
  const url = await import("node:url");
  const { createRequire } = await import("node:module");
  const process = (await import("node:process")).default;

  // Node gives these to what it gets by -e, and with it to every module, where `module.exports =`
  // would then be without effect and without error. It does so until the first turn is over.
  for (const name of ["module", "exports", "require", "__filename", "__dirname"]) {
    delete globalThis[name];
  }

  const address = url.pathToFileURL(FILE).href;

  const loaded = async () => {
    try {
      return await import(address);
    } catch (error) {
      // Deno takes a .js file for a module, whatever is in it.
      const isCommonJs = /^(module|exports|require|__dirname|__filename) is not defined/.test(
        error && error.message,
      );
      if (!isCommonJs) throw error;
      try {
        return { default: createRequire(address)(FILE) };
      } catch {
        throw error;
      }
    }
  };

  const exported = (loaded) => {
    const value = "default" in loaded ? loaded.default : loaded;
    const isTranslated = value && value.__esModule && "default" in value;
    return isTranslated ? value.default : value;
  };

  // What JSON would leave out in silence is named, so that it can be refused.
  const named = (_key, value) => {
    switch (typeof value) {
      case "function":
      case "symbol":
        return { [ODD]: `a ${typeof value}` };
      case "bigint":
        return value.toString();
      case "number":
        return Number.isFinite(value) ? value : { [ODD]: String(value) };
      default:
        return value;
    }
  };

  let answer;
  try {
    let value = exported(await loaded());
    if (typeof value === "function") value = value();
    answer = JSON.stringify({ value: await value }, named);
  } catch (error) {
    const isError = error !== null && typeof error === "object";
    answer = JSON.stringify({
      error: isError && error.message ? `${error.name || "Error"}: ${error.message}` : String(error),
      code: isError ? error.code : undefined,
      stack: isError && typeof error.stack === "string" ? error.stack : undefined,
    });
  }
  fs.writeFileSync("/dev/fd/3", answer);
  process.exit(0);
})();
