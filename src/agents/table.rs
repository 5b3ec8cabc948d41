//! The table of programs: a row for each. A test compares docs/agents.md with the table.

use super::program::{Agent, Launch, NONE, Settings, Syntax};
use crate::types::WireFormat;

/// The variable with the server's key, for programs with a variable in their settings.
const POOL_KEY: &str = "POOL_KEY";

/// All programs.
pub(crate) static AGENTS: [Agent; 15] = [
    Agent {
        name: "claude",
        aliases: &["claude-code"],
        title: "Claude Code",
        format: WireFormat::Anthropic,
        likes: &["claude-opus", "claude-sonnet", "claude", "anthropic"],
        settings: Some(Settings {
            folder_variable: Some("CLAUDE_CONFIG_DIR"),
            folder: ".claude",
            files: &["settings.json"],
            syntax: Syntax::Json,
            kept: &[],
            lines: include_str!("recipes/claude.json"),
        }),
        launch: Some(Launch {
            program: "claude",
            install: "npm install -g @anthropic-ai/claude-code",
            arguments: &[],
            environment: &[
                ("ANTHROPIC_BASE_URL", "{root}"),
                ("ANTHROPIC_AUTH_TOKEN", "{key}"),
                ("ANTHROPIC_MODEL", "{model}"),
                ("ANTHROPIC_DEFAULT_OPUS_MODEL", "{opus}"),
                ("ANTHROPIC_DEFAULT_SONNET_MODEL", "{sonnet}"),
                ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "{haiku}"),
            ],
            without: &["ANTHROPIC_API_KEY"],
        }),
        notes: &["Unset ANTHROPIC_API_KEY, which would go along as a second key."],
        ..NONE
    },
    Agent {
        name: "codex",
        title: "Codex",
        likes: &["codex", "gpt-5", "gpt"],
        settings: Some(Settings {
            folder_variable: Some("CODEX_HOME"),
            folder: ".codex",
            files: &["config.toml"],
            syntax: Syntax::Toml,
            kept: &[],
            lines: include_str!("recipes/codex.toml"),
        }),
        key_variable: Some(POOL_KEY),
        launch: Some(Launch {
            program: "codex",
            install: "npm install -g @openai/codex",
            arguments: &[
                "-c",
                "model=\"{model}\"",
                "-c",
                "model_provider=\"pool\"",
                "-c",
                "model_providers.pool={name=\"pool\",base_url=\"{base}\",wire_api=\"responses\",env_key=\"POOL_KEY\"}",
            ],
            environment: &[(POOL_KEY, "{key}")],
            without: &[],
        }),
        notes: &["Codex speaks the Responses API only: the model's account must have it."],
        ..NONE
    },
    Agent {
        name: "opencode",
        title: "opencode",
        settings: Some(Settings {
            folder_variable: Some("XDG_CONFIG_HOME"),
            folder: ".config",
            files: &["opencode/opencode.jsonc", "opencode/opencode.json"],
            syntax: Syntax::Json,
            kept: &["$schema"],
            lines: OPENCODE,
        }),
        key_variable: Some(POOL_KEY),
        launch: Some(Launch {
            program: "opencode",
            install: "npm install -g opencode-ai",
            arguments: &[],
            environment: &[("OPENCODE_CONFIG_CONTENT", OPENCODE), (POOL_KEY, "{key}")],
            without: &[],
        }),
        ..NONE
    },
    Agent {
        name: "gemini",
        aliases: &["gemini-cli"],
        title: "Gemini CLI",
        format: WireFormat::Gemini,
        likes: &["gemini"],
        settings: Some(Settings {
            folder_variable: None,
            folder: ".gemini",
            files: &["settings.json"],
            syntax: Syntax::Json,
            kept: &[],
            lines: include_str!("recipes/gemini.json"),
        }),
        key_variable: Some("GEMINI_API_KEY"),
        notes: &["Set the address besides: export GOOGLE_GEMINI_BASE_URL={root}"],
        ..NONE
    },
    Agent {
        name: "aider",
        title: "aider",
        settings: Some(Settings {
            folder_variable: None,
            folder: "",
            files: &[".aider.conf.yml"],
            syntax: Syntax::Yaml,
            kept: &[],
            lines: include_str!("recipes/aider.yml"),
        }),
        key_variable: Some("AIDER_OPENAI_API_KEY"),
        launch: Some(Launch {
            program: "aider",
            install: "python -m pip install aider-install && aider-install",
            arguments: &[],
            environment: &[
                ("AIDER_OPENAI_API_BASE", "{base}"),
                ("AIDER_OPENAI_API_KEY", "{key}"),
                ("AIDER_MODEL", "openai/{model}"),
                ("AIDER_WEAK_MODEL", "openai/{small}"),
            ],
            without: &[],
        }),
        ..NONE
    },
    Agent {
        name: "cline",
        title: "Cline",
        panel: PANEL,
        notes: &["Cline's command line: cline auth -p openai-compatible -b {base} -m {model} -k KEY"],
        ..NONE
    },
    Agent {
        name: "roo",
        aliases: &["roo-code"],
        title: "Roo Code",
        settings: Some(Settings {
            folder_variable: None,
            folder: "",
            files: &[],
            syntax: Syntax::Json,
            kept: &[],
            lines: include_str!("recipes/roo.json"),
        }),
        notes: &[
            "Import the file in Roo Code's settings, or name it in VS Code's setting roo-cline.autoImportSettingsPath.",
        ],
        ..NONE
    },
    Agent {
        name: "kilo",
        aliases: &["kilo-code", "kilocode"],
        title: "Kilo Code",
        settings: Some(Settings {
            folder_variable: Some("XDG_CONFIG_HOME"),
            folder: ".config",
            files: &["kilo/kilo.jsonc", "kilo/kilo.json"],
            syntax: Syntax::Json,
            kept: &[],
            lines: include_str!("recipes/kilo.json"),
        }),
        key_variable: Some(POOL_KEY),
        ..NONE
    },
    Agent {
        name: "continue",
        title: "Continue",
        settings: Some(Settings {
            folder_variable: Some("CONTINUE_GLOBAL_DIR"),
            folder: ".continue",
            files: &["config.yaml"],
            syntax: Syntax::Yaml,
            kept: &["name", "version", "schema"],
            lines: include_str!("recipes/continue.yaml"),
        }),
        ..NONE
    },
    Agent {
        name: "goose",
        title: "Goose",
        settings: Some(Settings {
            folder_variable: Some("XDG_CONFIG_HOME"),
            folder: ".config",
            files: &["goose/config.yaml"],
            syntax: Syntax::Yaml,
            kept: &[],
            lines: include_str!("recipes/goose.yaml"),
        }),
        key_variable: Some("OPENAI_API_KEY"),
        launch: Some(Launch {
            program: "goose",
            install: "https://github.com/block/goose",
            arguments: &[],
            environment: &[
                ("GOOSE_PROVIDER", "openai"),
                ("GOOSE_MODEL", "{model}"),
                ("OPENAI_HOST", "{root}"),
                ("OPENAI_API_KEY", "{key}"),
            ],
            without: &["OPENAI_BASE_PATH"],
        }),
        ..NONE
    },
    Agent {
        name: "qwen",
        aliases: &["qwen-code"],
        title: "Qwen Code",
        settings: Some(Settings {
            folder_variable: None,
            folder: ".qwen",
            files: &["settings.json"],
            syntax: Syntax::Json,
            kept: &[],
            lines: include_str!("recipes/qwen.json"),
        }),
        key_variable: Some(POOL_KEY),
        launch: Some(Launch {
            program: "qwen",
            install: "npm install -g @qwen-code/qwen-code",
            arguments: &[],
            environment: &[("OPENAI_BASE_URL", "{base}"), ("OPENAI_API_KEY", "{key}"), ("OPENAI_MODEL", "{model}")],
            without: &[],
        }),
        ..NONE
    },
    Agent {
        name: "crush",
        title: "Crush",
        settings: Some(Settings {
            folder_variable: Some("XDG_CONFIG_HOME"),
            folder: ".config",
            files: &["crush/crush.json"],
            syntax: Syntax::Json,
            kept: &["$schema"],
            lines: include_str!("recipes/crush.json"),
        }),
        key_variable: Some(POOL_KEY),
        ..NONE
    },
    Agent {
        name: "zed",
        title: "Zed",
        settings: Some(Settings {
            folder_variable: Some("XDG_CONFIG_HOME"),
            folder: ".config",
            files: &["zed/settings.json"],
            syntax: Syntax::Json,
            kept: &[],
            lines: include_str!("recipes/zed.json"),
        }),
        key_variable: Some("POOL_API_KEY"),
        notes: &["Without the variable, give Zed the key in its panel of providers."],
        ..NONE
    },
    Agent {
        name: "cursor",
        title: "Cursor",
        panel: &[("OpenAI API key", "{key}"), ("Override OpenAI base URL", "{base}"), ("Models, Add model", "{model}")],
        notes: &["Cursor's servers call, not the editor: the address must be public, with a certificate."],
        ..NONE
    },
    Agent {
        name: "openwebui",
        aliases: &["open-webui"],
        title: "Open WebUI",
        launch: Some(Launch {
            program: "open-webui",
            install: "pip install open-webui",
            arguments: &["serve"],
            environment: &[("OPENAI_API_BASE_URL", "{base}"), ("OPENAI_API_KEY", "{key}")],
            without: &["OPENAI_API_BASE_URLS", "OPENAI_API_KEYS"],
        }),
        notes: &["In a container localhost is the container: give the server's address as seen from there."],
        ..NONE
    },
];

const OPENCODE: &str = include_str!("recipes/opencode.json");

/// The panel of Cline and its relatives.
const PANEL: &[(&str, &str)] =
    &[("API provider", "OpenAI Compatible"), ("Base URL", "{base}"), ("API key", "{key}"), ("Model ID", "{model}")];

/// Returns the row with this name.
pub(crate) fn agent(name: &str) -> Option<&'static Agent> {
    AGENTS.iter().find(|agent| agent.name == name)
}
