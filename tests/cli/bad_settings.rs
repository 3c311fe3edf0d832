//! Settings that cannot be used: the message names the key, what was found, what is expected, and where it was given.

use crate::support::{Folder, radapter, trained, training};

#[test]
fn settings_that_are_unknown_or_of_a_wrong_value() {
    let folder = Folder::new();
    let cases = [
        ("learning_rate=1", vec!["learning_rate"]),
        ("batchsize=8", vec!["batchsize", "batch_size"]),
        ("adapter.rnk=4", vec!["adapter.rnk", "adapter.rank"]),
        ("loss.kind=hinge", vec!["loss", "hinge"]),
        ("lr=-1", vec!["lr", "-1"]),
        ("lr=fast", vec!["lr"]),
        ("alpha=2", vec!["alpha", "2"]),
        ("alpha=nan", vec!["alpha"]),
        ("epochs", vec!["epochs", "="]),
        ("adapter.rank=0", vec!["rank"]),
        ("val_fraction=1.5", vec!["1.5"]),
        ("templates=nowhere.txt", vec!["nowhere.txt"]),
    ];
    for (setting, words) in cases {
        training(&folder, "run", "").with("--set", setting).fail(2, &words);
        assert!(!folder.join("run").exists(), "{setting}");
    }
    let config = folder.file("config.toml", "epochs = 1\nlearning_rate = 1\n");
    training(&folder, "run", "").with("--config", config).fail(1, &["learning_rate", "config.toml"]);
    training(&folder, "run", "").with("--config", folder.join("absent.toml")).fail(1, &["absent.toml"]);
    let broken = folder.file("broken.toml", "epochs = [1\n");
    training(&folder, "run", "").with("--config", broken).fail(1, &["broken.toml"]);
}

#[test]
fn unknown_keys_come_with_the_nearest_ones() {
    let folder = Folder::new();
    for (setting, error) in [
        ("epoch=3", "unknown setting `epoch` in --set; did you mean epochs?"),
        ("adapter.rnk=4", "unknown setting `adapter.rnk` in --set; did you mean adapter.rank?"),
        ("margin=0.1", "unknown setting `margin` in --set; did you mean loss.margin?"),
        ("learning_rate=0.1", "unknown setting `learning_rate` in --set; did you mean lr?"),
        ("colour=blue", "unknown setting `colour` in --set; expected one of adapter."),
    ] {
        training(&folder, "run", "").with("--set", setting).fail(2, &[error]);
    }
    for (setting, owners) in [
        ("max_captions=2", "retrieval"),
        ("crop.margin=0.1", "segmentation"),
        ("captions=c.json", "retrieval and segmentation"),
    ] {
        let key = setting.split_once('=').unwrap().0;
        let error = format!("unknown setting `{key}` in --set; it is a setting of {owners}, not of classification");
        training(&folder, "run", "").with("--set", setting).fail(2, &[&error]);
    }
    let error = "unknown setting `augment` in --set; `augment` is a group: augment.scale, augment.flip";
    training(&folder, "run", "--set augment=0.1").fail(2, &[error]);
    // In a file: at the top, in a table, and as a dotted key. The message names the line.
    for (text, line, error) in [
        ("lr = 1e-3\nbatchsize = 8\n", 2, "unknown setting `batchsize`"),
        ("[loss]\nmargin = 0.1\nsmothing = 0.1\n", 3, "unknown setting `loss.smothing`"),
        ("\nadapter.rnk = 2\n", 2, "unknown setting `adapter.rnk`"),
    ] {
        let config = folder.file("settings.toml", text);
        let place = format!("{error} in {}, line {line}; did you mean ", config.display());
        training(&folder, "run", "").with("--config", config).fail(1, &[&place]);
    }
    assert!(!folder.join("run").exists());
}

#[test]
fn refused_values_come_with_the_expected_ones_and_their_place() {
    let folder = Folder::new();
    for (setting, error) in [
        ("lr=0", "lr = 0 in --set is refused: expected a number, above 0"),
        ("lr=fast", "lr = \"fast\" in --set is refused: expected a number, above 0"),
        ("batch_size=1.5", "batch_size = 1.5 in --set is refused: expected a whole number, at least 1"),
        ("alpha=2", "alpha = 2 in --set is refused: expected a number or \"auto\", from 0 to 1.5"),
        (
            "loss.kind=hinge",
            "loss.kind = \"hinge\" in --set is refused: expected \"mpm-nce\", \"info-nce\", \"cross-entropy\" or \"class-texts\"",
        ),
        ("checkpointing=yes", "checkpointing = \"yes\" in --set is refused: expected true or false"),
        ("lr.x=1", "lr"),
    ] {
        training(&folder, "run", "").with("--set", setting).fail(2, &[error]);
    }
    let config = folder.file("settings.toml", "epochs = 1\n\n[loss]\nsmoothing = 1.0\n");
    let error = format!(
        "loss.smoothing = 1.0 in {}, line 4 is refused: expected a number, at least 0 and below 1",
        config.display()
    );
    training(&folder, "run", "").with("--config", config).fail(1, &[&error]);
    let error = "val_fraction = \"much\" in --set is refused: expected a number";
    training(&folder, "run", "").with("--set", "val_fraction=much").fail(2, &[error]);
    assert!(!folder.join("run").exists());
}

#[test]
fn recipes_methods_and_tasks_that_are_unknown() {
    let folder = Folder::new();
    let error = "recipe = \"paper-coco\" in --set is refused: the recipes of classification are auto, paper-imagenet";
    training(&folder, "run", "--set recipe=paper-coco").fail(2, &[error]);
    let error = "method = \"prompt\" in --method is refused: expected one of adaptformer, ";
    training(&folder, "run", "--method prompt").fail(2, &[error]);
    let error = "method = \"lra\" in --set is refused: did you mean lora?";
    training(&folder, "run", "--set method=lra").fail(2, &[error]);
    radapter("train detection --out run --model embedded").fail(2, &["unrecognized subcommand 'detection'"]);

    // The method needs classes, and captions have none.
    let captions = folder.file("captions.tsv", "filepath\ttitle\na.png\ta thing\n");
    radapter("train retrieval --method full --model embedded")
        .with("--captions", captions)
        .with("--out", folder.join("run"))
        .fail(2, &["method = \"full\" in --method", "compares images with a classifier", "r-adapter, flyp, ovseg"]);
    assert!(!folder.join("run").exists());
}

#[test]
fn settings_that_exclude_each_other() {
    let folder = Folder::new();
    training(&folder, "run", "--set epochs=1 --set steps=4").fail(2, &["epochs = 1 is refused", "leave one out"]);
    training(&folder, "run", "--method full --set tune=adapters").fail(2, &["tune = adapters is refused"]);
    training(&folder, "run", "--method full --set alpha=0.5").fail(2, &["alpha = 0.5 is refused"]);
    let config = folder.file("both.toml", "epochs = 1\nsteps = 4\n");
    training(&folder, "run", "").with("--config", config).fail(1, &["epochs = 1 is refused", "leave one out"]);
    assert!(!folder.join("run").exists());
}

#[test]
fn a_value_is_refused_before_the_data_are_read_also_under_one_that_overrides_it() {
    let folder = Folder::new();
    let config = folder.file("low.toml", "lr = -2\n");
    for (words, status, error) in [
        ("--set lr=-1 --lr 2", 2, "lr = -1 in --set is refused: expected a number, above 0"),
        ("--set lr=-1 --set lr=2", 2, "lr = -1 in --set is refused"),
        ("--set method=prompt --method full", 2, "method = \"prompt\" in --set is refused"),
        (&format!("--config {} --lr 2", config.display()), 1, "lr = -2 in"),
        ("--set best=recall", 2, "best = \"recall\" in --set is refused: the metrics of classification are top1, top5"),
        ("--suite imagenet", 2, "--suite imagenet needs --root DIR"),
        ("--suite imagenet.toml --root x", 2, "--root applies only to --suite imagenet"),
    ] {
        let done = radapter("train classification --model embedded --train absent")
            .args(words.split(' '))
            .with("--out", folder.join("run"))
            .fail(status, &[error]);
        assert!(!done.stderr.contains("device: "), "{}", done.stderr);
    }
}

#[test]
fn images_to_train_on_have_to_be_named() {
    let folder = Folder::new();
    let done = radapter("train classification --model embedded").with("--out", folder.join("run"));
    done.fail(2, &["no `train`; give --train, or `train` in the file of --config"]);
    assert!(!folder.join("run").exists());
}

#[test]
fn a_resumed_run_is_not_contradicted() {
    let resume = || radapter("train --resume").with("--out", trained().run());
    let error = "a resumed run cannot change `lr`: the run has 0.01, found 0.5 (in --set)";
    resume().with("--set", "lr=0.5").fail(1, &[error]);
    let config = Folder::new();
    let file = config.file("settings.toml", "epochs = 3\n[adapter]\nrank = 2\n");
    resume().with("--config", &file).fail(1, &["a resumed run cannot change `adapter.rank`"]);
    resume().with("--set", "epoch=3").fail(2, &["unknown setting `epoch` in --set; did you mean epochs?"]);
    let same = config.file("same.toml", "epochs = 3\nema = \"auto\"\n");
    resume().with("--config", same).succeed();
    // The run's own record is a settings file too.
    let record = std::fs::read_to_string(trained().run().join("config.toml")).unwrap();
    resume().with("--config", config.file("record.toml", record)).succeed();
    let again = radapter("train classification --resume --method full").with("--out", trained().run());
    again.fail(1, &["cannot change `method`"]);
}

#[test]
fn a_flag_that_is_a_setting_or_another_command_s_comes_with_a_tip() {
    let folder = Folder::new();
    training(&folder, "run", "--margin 0.2").fail(2, &["unexpected argument '--margin'", "--set loss.margin=VALUE"]);
    training(&folder, "run", "--learning 0.2").fail(2, &["--set KEY=VALUE", "radapter settings"]);
    training(&folder, "run", "--captions c.json")
        .fail(2, &["`captions` is a setting of retrieval and segmentation, not of"]);
    radapter("zero-shot --model embedded --data x --suite s.toml").fail(2, &["radapter eval classification --suite"]);
    radapter("sweep --model x --suite s.toml --out y").fail(2, &["unexpected argument '--model'", "`--run RUN`"]);
    radapter("merge --model x --out y").fail(2, &["--run <RUN>", "a run is merged with `--run RUN`"]);
    radapter("predict --run x --images y").fail(2, &["unexpected argument '--run'", "`--model RUN`"]);
    radapter("export --run x --format hf --out y").fail(2, &["unexpected argument '--run'", "`radapter export RUN"]);
    // A word that only looks like a command or a task brings no tip.
    let done = radapter("eval classification --model embedded --data train --margin 0.2").fail(2, &["'--margin'"]);
    assert!(!done.stderr.contains("--set"), "{}", done.stderr);
    let task = "train classification --model embedded --out retrieval --captions c.json";
    radapter(task).fail(2, &["`captions` is a setting of retrieval and segmentation, not of classification"]);
}
