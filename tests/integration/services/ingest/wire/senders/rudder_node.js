// Sends calls with @rudderstack/rudder-sdk-node, as a customer's program does: nothing here catches what it throws.
const Analytics = require("@rudderstack/rudder-sdk-node");

const [host, key, retryCount] = process.argv.slice(2);
const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const lost = [];
const ids = [];
const options = { dataPlaneUrl: host, flushInterval: 100, logLevel: "none" };
if (retryCount) options.retryCount = Number(retryCount);
const analytics = new Analytics(key, options);
for (const { type, ...call } of calls) {
  if (call.timestamp) {
    call.originalTimestamp = new Date(call.timestamp);
    delete call.timestamp;
  }
  const messageId = require("node:crypto").randomUUID();
  ids.push(messageId);
  analytics[type]({ ...call, messageId }, (error) => {
    if (error) lost.push(String(error));
  });
}
// Its timer and its requests keep the process alive until it has sent everything.
process.on("exit", () => process.stdout.write(JSON.stringify({ ids, lost })));
