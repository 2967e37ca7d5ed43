// Sends calls with @segment/analytics-node, as a customer's program does.
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey] = process.argv.slice(2);
const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

async function main() {
  const lost = [];
  const ids = [];
  const analytics = new Analytics({ writeKey, host, flushInterval: 100 });
  analytics.on("error", (error) => lost.push(String(error.reason ?? error.code)));
  for (const [index, { type, ...call }] of calls.entries()) {
    if (call.timestamp) call.timestamp = new Date(call.timestamp);
    analytics[type](call, (error, context) => {
      if (error) lost.push(String(error));
      ids[index] = context.event.messageId; // several requests are under way: answers come in any order
    });
  }
  await analytics.closeAndFlush();
  process.stdout.write(JSON.stringify({ ids, lost }));
}

main();
