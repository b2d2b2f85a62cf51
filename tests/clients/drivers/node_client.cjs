// Makes calls with the Segment client for Node, of which only host and key are set.
//
// Reads what to do from standard input and says there what the client said. `NODE_PATH` leads
// to the installation. It leaves at once after `flush`, so that what `flush` did not deliver
// is lost, and missed by the tests.

const { readFileSync } = require("node:fs");
const { Analytics } = require("@segment/analytics-node");
const { version } = require("@segment/analytics-node/package.json");

async function main() {
  const order = JSON.parse(readFileSync(0, "utf8"));
  const errors = [];
  const analytics = new Analytics({ writeKey: order.key, host: order.host });
  analytics.on("error", (error) => errors.push(String(error.reason ?? error.code)));
  for (const { type, timestamp, ...given } of order.calls) {
    analytics[type](timestamp ? { ...given, timestamp: new Date(timestamp) } : given);
  }
  await analytics.flush();
  process.stdout.write(JSON.stringify({ errors, version }), () => process.exit(0));
}

main();
