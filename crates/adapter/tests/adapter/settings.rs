//! Settings as they are written in TOML.

use radapter_adapter::{AdapterConfig, DropMode, Layers, Rank, Scale, Sites, Towers};

use radapter_settings::{Facts, Schema, Settings, SettingsError};

use crate::support::config;

fn parse(text: &str) -> Result<AdapterConfig, String> {
    let parse = || {
        let given = Settings::from_toml(text, "test")?;
        Schema::of::<AdapterConfig>().overlay(&[&given])?.resolve(&Facts::default()).part()
    };
    parse().map_err(|error: SettingsError| error.to_string())
}

#[test]
fn every_form_is_read_and_written_back() {
    let check = |text: &str, expected: AdapterConfig| {
        let found = parse(text).unwrap();
        assert_eq!(found, expected, "{text}");
        let written = toml::to_string(&found).unwrap();
        assert_eq!(parse(&written).unwrap(), expected, "{written}");
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<AdapterConfig>(&json).unwrap(), expected, "{json}");
    };
    let default = AdapterConfig::default;
    check("", default());
    check("rank = 'full'\nscale = 'learnable'\nlayers = 'all'", default());
    check("rank = 4", AdapterConfig { rank: Rank::Low(4), ..default() });
    check("scale = 0.1", AdapterConfig { scale: Scale::Fixed(0.1), ..default() });
    check("scale = 1", AdapterConfig { scale: Scale::Fixed(1.0), ..default() });
    check("scale = { learnable = 0.5 }", AdapterConfig { scale: Scale::Learnable(0.5), ..default() });
    check("drop = 0", AdapterConfig { drop: 0.0, ..default() });
    check("drop_mode = 'token'", AdapterConfig { drop_mode: DropMode::Token, ..default() });
    check("towers = 'visual'\nsites = 'mlp'", AdapterConfig { towers: Towers::Visual, sites: Sites::Mlp, ..default() });
    check("layers = 'last:2'", AdapterConfig { layers: Layers::Last(2), ..default() });
    check("layers = '1..3'", AdapterConfig { layers: Layers::Range(1, 3), ..default() });
    check("layers = [0, 2]", AdapterConfig { layers: Layers::List(vec![0, 2]), ..default() });
}

#[test]
fn numbers_are_written_as_they_were() {
    let written = toml::to_string(&parse("scale = 0.1").unwrap()).unwrap();
    assert!(written.contains("scale = 0.1\n"), "{written}");
}

#[test]
fn what_cannot_be_read_says_what_could() {
    for (text, part) in [
        ("rank = 'half'", "the rank"),
        ("rank = 0", "the rank"),
        ("rank = -4", "the rank"),
        ("rank = 1.5", "the rank"),
        ("scale = 'fixed'", "\"learnable\", a fixed number"),
        ("scale = { fixed = 1 }", "learnable"),
        ("layers = 'first'", "\"last:4\""),
        ("layers = 'last:x'", "\"last:4\""),
        ("drop_mode = 'batch'", "adapter"),
        ("towers = 'image'", "visual"),
        ("sites = 'ffn'", "mlp"),
        ("ranks = 4", "unknown setting `ranks`"),
    ] {
        let message = parse(text).unwrap_err();
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn impossible_settings_name_their_key() {
    for (text, key) in [
        ("drop = 1", "adapter.drop"),
        ("drop = -0.1", "adapter.drop"),
        ("drop = nan", "adapter.drop"),
        ("scale = nan", "adapter.scale"),
        ("scale = 0", "adapter.scale"),
        ("scale = { learnable = inf }", "adapter.scale"),
        ("layers = []", "adapter.layers"),
        ("layers = [1, 0, 1]", "adapter.layers"),
        ("layers = 'last:0'", "adapter.layers"),
        ("layers = '3..3'", "adapter.layers"),
    ] {
        // The declaration checks the range, and the run adds the group's name.
        let message = match parse(text) {
            Ok(config) => config.validate().unwrap_err().to_string(),
            Err(message) => format!("adapter.{message}"),
        };
        assert!(message.starts_with(&format!("{key} = ")), "{text}: {message}");
    }
    let zero = AdapterConfig { rank: Rank::Low(0), ..AdapterConfig::default() };
    assert!(zero.validate().unwrap_err().to_string().starts_with("adapter.rank = 0"));
}

/// Visual: 3 layers of width 16; text: 2 of width 8.
#[test]
fn settings_that_do_not_fit_the_model_name_their_key() {
    for (text, key) in [
        ("rank = 9", "adapter.rank"),
        ("layers = [3]", "adapter.layers"),
        ("layers = 'last:4'", "adapter.layers"),
        ("layers = '1..4'", "adapter.layers"),
        ("towers = 'text'\nlayers = [2]", "adapter.layers"),
    ] {
        let message = parse(text).unwrap().places(&config()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{key} = ")), "{text}: {message}");
    }
    assert!(parse("rank = 9\ntowers = 'visual'").unwrap().places(&config()).is_ok());
}

#[test]
fn places_follow_the_settings() {
    let places = |text: &str| -> Vec<String> {
        let places = parse(text).unwrap().places(&config()).unwrap();
        places.iter().map(|(place, width)| format!("{place} {width}")).collect()
    };
    assert_eq!(places("").len(), 10);
    assert_eq!(places("")[0], "visual.0.attn 16");
    assert_eq!(places("")[9], "text.1.mlp 8");
    assert_eq!(places("layers = 'last:1'\nsites = 'mlp'"), ["visual.2.mlp 16", "text.1.mlp 8"]);
    assert_eq!(places("layers = [2]\nsites = 'attn'"), ["visual.2.attn 16"]);
    assert_eq!(places("layers = '0..1'\ntowers = 'text'"), ["text.0.attn 8", "text.0.mlp 8"]);
}
