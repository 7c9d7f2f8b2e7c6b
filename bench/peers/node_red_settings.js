// Nothing but the flow: no editor, no log, nothing written.
module.exports = {
    uiHost: "127.0.0.1",
    uiPort: process.env.PORT,
    httpAdminRoot: false,
    disableEditor: true,
    diagnostics: { enabled: false, ui: false },
    telemetry: { enabled: false },
    logging: { console: { level: "error", metrics: false, audit: false } },
    functionExternalModules: false,
};
