use norm_core::model::Model;

use crate::Error;

/// An exported file with norm-core's own inference, as the device will run it, on the desktop.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file, in words, so that it is aligned.
    words: Vec<u32>,
}

impl Loaded {
    /// Takes a file in.
    ///
    /// # Errors
    ///
    /// What [`Model::load`] refuses.
    pub fn new(file: &[u8]) -> Result<Self, Error> {
        let (words, rest) = file.as_chunks();
        let mut words: Vec<u32> = words.iter().map(|&w| u32::from_ne_bytes(w)).collect();
        if !rest.is_empty() {
            // Not whole: the loader says so.
            words.clear();
        }
        let loaded = Self { words };
        Model::<{ norm_core::model::ALL }>::load(loaded.bytes()).map_err(|e| Error::Export(e.to_string()))?;
        Ok(loaded)
    }

    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    /// norm-core's view of it.
    ///
    /// # Errors
    ///
    /// None that [`new`](Self::new) would not have met.
    pub fn model(&self) -> Result<Model<'_>, Error> {
        Model::load(self.bytes()).map_err(|e| Error::Export(e.to_string()))
    }

    /// The output for one input.
    ///
    /// # Errors
    ///
    /// An input of another length, or one that is not finite.
    pub fn run(&self, input: &[f32]) -> Result<Vec<f32>, Error> {
        let model = self.model()?;
        let (mut work, mut output) = (vec![0.0; model.work_len()], vec![0.0; model.outputs()]);
        model.run(input, &mut work, &mut output).map_err(Error::method("the exported network"))?;
        Ok(output)
    }
}
