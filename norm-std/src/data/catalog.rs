//! The public data sets: what they are, where they are, and their checksums.
//!
//! Every sum is SHA-256. Those of MNIST and CIFAR-10 are given alike by many projects; those of Fashion-MNIST go with the
//! MD5 sums that its authors publish, checked; the one of the gas sensors is given alike by three projects (UCI itself
//! publishes none).

/// How a fetched file becomes the files of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpack {
    /// It is one of them.
    No,
    /// They are in a tar archive compressed with gzip.
    TarGz,
    /// They are in a zip archive.
    Zip,
}

/// A file to fetch.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// Its name.
    pub file: &'static str,
    /// The folders that have it, best first; an address is this and the file's name.
    pub bases: &'static [&'static str],
    /// Its SHA-256.
    pub sha256: &'static str,
    /// Its length, if it is published.
    pub bytes: Option<u64>,
    /// What is done with it.
    pub unpack: Unpack,
}

/// A public data set.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, as after `--dataset`.
    pub name: &'static str,
    /// What it is, in a line.
    pub title: &'static str,
    /// Who made it, and the terms.
    pub credit: &'static str,
    /// What to fetch; nothing if it is part of the library.
    pub remotes: &'static [Remote],
    /// In an archive, the folder in it and the names of the files that are taken.
    pub members: Option<(&'static str, &'static [&'static str])>,
    /// SHA-256 of files decompressed, where known: it holds however they were compressed.
    pub contents: &'static [(&'static str, &'static str)],
}

/// All of them.
pub const ALL: &[Entry] = &[DIGITS, MNIST, FASHION_MNIST, CIFAR_10, GAS_DRIFT];

/// By name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}

const DIGITS: Entry = Entry {
    name: "digits",
    title: "1,797 handwritten digits, 8x8 grey, 10 classes (part of the library)",
    credit: "Alpaydin, Kaynak 1998, UCI, CC BY 4.0",
    remotes: &[],
    members: None,
    contents: &[],
};

const fn idx(bases: &'static [&'static str], file: &'static str, bytes: u64, sha256: &'static str) -> Remote {
    Remote { file, bases, sha256, bytes: Some(bytes), unpack: Unpack::No }
}

// The first author's own server no longer gives the files; these two copies are those that TensorFlow and PyTorch use.
const MNIST_BASES: &[&str] = &[
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
];

const MNIST: Entry = Entry {
    name: "mnist",
    title: "60,000 + 10,000 handwritten digits, 28x28 grey, 10 classes",
    credit: "LeCun, Cortes, Burges 1998, CC BY-SA 3.0",
    remotes: &[
        idx(
            MNIST_BASES,
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        idx(
            MNIST_BASES,
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        idx(
            MNIST_BASES,
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        idx(
            MNIST_BASES,
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ],
    members: None,
    contents: &[
        ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ],
};

const FASHION_BASES: &[&str] = &[
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
];

const FASHION_MNIST: Entry = Entry {
    name: "fashion-mnist",
    title: "60,000 + 10,000 pieces of clothing, 28x28 grey, 10 classes",
    credit: "Xiao, Rasul, Vollgraf 2017, Zalando Research, MIT",
    remotes: &[
        idx(
            FASHION_BASES,
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        idx(
            FASHION_BASES,
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        idx(
            FASHION_BASES,
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        idx(
            FASHION_BASES,
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ],
    members: None,
    contents: &[
        ("train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        ("train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ("t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        ("t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ],
};

const CIFAR_10: Entry = Entry {
    name: "cifar-10",
    title: "50,000 + 10,000 photographs, 32x32 colour, 10 classes",
    credit: "Krizhevsky 2009",
    remotes: &[Remote {
        file: "cifar-10-binary.tar.gz",
        bases: &["https://www.cs.toronto.edu/~kriz/"],
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        bytes: Some(170_052_171),
        unpack: Unpack::TarGz,
    }],
    members: Some((
        super::cifar::FOLDER,
        &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
            "batches.meta.txt",
        ],
    )),
    contents: &[],
};

const GAS_DRIFT: Entry = Entry {
    name: "gas-drift",
    title: "13,910 measurements of 16 gas sensors over 36 months, 128 features, 6 gases, 10 batches",
    credit: "Vergara et al. 2012, Rodriguez-Lujan et al. 2014, UCI, CC BY 4.0",
    remotes: &[Remote {
        file: "gas+sensor+array+drift+dataset+at+different+concentrations.zip",
        bases: &["https://archive.ics.uci.edu/static/public/270/"],
        sha256: "98fe3a30981a222dd4518fbcc3dddd45d5c0ce9b03ef6dc6fe5cf7a04cfbff5e",
        bytes: None,
        unpack: Unpack::Zip,
    }],
    members: Some((
        "Dataset",
        &[
            "batch1.dat",
            "batch2.dat",
            "batch3.dat",
            "batch4.dat",
            "batch5.dat",
            "batch6.dat",
            "batch7.dat",
            "batch8.dat",
            "batch9.dat",
            "batch10.dat",
        ],
    )),
    contents: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Source;

    #[test]
    fn every_named_set_is_here_with_well_formed_sums_and_addresses() {
        assert!(Source::named().map(|s| s.to_string()).eq(ALL.iter().map(|entry| entry.name.to_owned())));
        for entry in ALL {
            let remote =
                entry.remotes.iter().map(|r| r.sha256).chain(entry.contents.iter().map(|(_, sum)| *sum));
            for sum in remote {
                assert!(
                    sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
                );
            }
            for remote in entry.remotes {
                assert!(remote.bases.iter().all(|base| base.starts_with("http") && base.ends_with('/')));
                assert_eq!(remote.unpack != Unpack::No, entry.members.is_some());
            }
        }
    }
}
