// OpenTelemetry for an application that knows nothing of it:
// `node --require ./instrumentation.js app.js`.
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { ExpressInstrumentation } = require("@opentelemetry/instrumentation-express");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
for (const instrumentation of [new HttpInstrumentation(), new ExpressInstrumentation()]) {
  instrumentation.setTracerProvider(provider);
}
process.once("beforeExit", () => provider.shutdown());
