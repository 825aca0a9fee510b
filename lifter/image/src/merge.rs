//! A program and the libraries that are translated with it → one [`Image`]. For now the libraries are left out.

use crate::Image;

impl Image {
    /// The program together with its dynamic linker and `libraries`, each with the path of its file.
    pub fn with_libraries(self, libraries: Vec<(String, Image)>) -> Image {
        drop(libraries);
        self
    }
}
