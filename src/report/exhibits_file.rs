//! The exhibits of a run in its folder, so that its page can be made again without the data and without training:
//!
//! | file in `exhibits/` | what |
//! |---|---|
//! | `index.json` | samples, points, planes in words; row and label of each picture and how they lie |
//! | `movie.safetensors` | f32: `predicted`, `probability` `[frames, points]`, `positions/K` `[frames, points, 2]` of plane K |
//! | `pictures.png` | the pictures |
//!
//! The latter two are absent where a run was not filmed or its data are no pictures.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::exhibits::{Exhibits, Pictures};
use super::files::{self, ReportError, write_atomic};
use super::sprite::Sprite;
use crate::data::{TensorFile, TensorRef, write_tensors};
use crate::study::movie::{Axis, Frame, Movie, Plane, Point};

/// Name of the folder in a run's folder.
pub const EXHIBITS: &str = "exhibits";
const INDEX: &str = "index.json";
const MOVIE: &str = "movie.safetensors";
const PICTURES: &str = "pictures.png";

/// All of them, from the run's folder.
pub const FILES: [&str; 3] = [
    "exhibits/index.json",
    "exhibits/movie.safetensors",
    "exhibits/pictures.png",
];

#[derive(Serialize, Deserialize)]
struct Index {
    samples: usize,
    rows: Vec<usize>,
    labels: Vec<Option<u8>>,
    pictures: Option<Layout>,
    movie: Option<Script>,
}

/// How the pictures lie in their file.
#[derive(Serialize, Deserialize)]
struct Layout {
    columns: usize,
    rows: usize,
    width: usize,
    height: usize,
    grey: bool,
}

/// What the movie has beside its numbers.
#[derive(Serialize, Deserialize)]
struct Script {
    replica: u64,
    layer: usize,
    samples: usize,
    inversion: Option<usize>,
    epochs: Vec<usize>,
    points: Vec<Player>,
    planes: Vec<Stage>,
}

#[derive(Serialize, Deserialize)]
struct Player {
    sample_index: usize,
    label: u32,
    straggler: bool,
    replicas: usize,
}

#[derive(Serialize, Deserialize)]
struct Stage {
    name: String,
    /// Name and share of the variance (null for none) of each axis.
    axes: [(String, Option<f64>); 2],
}

impl Exhibits {
    /// Writes the files into a run's folder; what is there of an earlier attempt is replaced.
    ///
    /// # Errors
    /// [`ReportError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), ReportError> {
        let folder = folder.join(EXHIBITS);
        files::create_folder(&folder)?;
        if let Some(sprite) = &self.pictures.sprite {
            write_atomic(&folder.join(PICTURES), &sprite.png)?;
        }
        if let Some(movie) = &self.movie {
            write_movie(&folder.join(MOVIE), movie)?;
        }
        let index = Index {
            samples: self.samples,
            rows: self.pictures.rows.clone(),
            labels: self.pictures.labels.clone(),
            pictures: self.pictures.sprite.as_ref().map(|sprite| Layout {
                columns: sprite.columns,
                rows: sprite.rows,
                width: sprite.width,
                height: sprite.height,
                grey: sprite.grey,
            }),
            movie: self.movie.as_ref().map(script),
        };
        let text = serde_json::to_string(&index).map_err(|cause| ReportError::Inconsistent {
            what: format!("{INDEX}: {cause}"),
        })?;
        write_atomic(&folder.join(INDEX), format!("{text}\n").as_bytes())
    }

    /// Reads what [`Exhibits::write`] wrote. `None` if the folder has no exhibits.
    ///
    /// # Errors
    /// [`ReportError::Io`], [`ReportError::Malformed`], [`ReportError::Data`] for a file that is missing or damaged.
    pub fn read(folder: &Path) -> Result<Option<Exhibits>, ReportError> {
        let folder = folder.join(EXHIBITS);
        if !folder.exists() {
            return Ok(None);
        }
        let path = folder.join(INDEX);
        let malformed = |line, expected: String| ReportError::Malformed {
            path: path.clone(),
            line,
            expected,
        };
        let index: Index = serde_json::from_str(&files::read_text(&path)?)
            .map_err(|cause| malformed(Some(cause.line()), format!("the index of exhibits, not: {cause}")))?;
        if index.labels.len() != index.rows.len() {
            let (labels, rows) = (index.labels.len(), index.rows.len());
            return Err(malformed(
                None,
                format!("{rows} labels as there are rows, not {labels}"),
            ));
        }
        let sprite = match index.pictures {
            None => None,
            Some(layout) => {
                let places = layout.columns.checked_mul(layout.rows);
                let sides = [layout.width, layout.height]
                    .iter()
                    .all(|side| (1..=4096).contains(side));
                if !sides || places.is_none_or(|places| places < index.rows.len().max(1)) {
                    return Err(malformed(None, "a layout that holds all pictures".into()));
                }
                let picture = folder.join(PICTURES);
                let png = std::fs::read(&picture).map_err(|cause| ReportError::Io {
                    doing: "read",
                    path: picture,
                    cause,
                })?;
                Some(Sprite {
                    png,
                    columns: layout.columns,
                    rows: layout.rows,
                    width: layout.width,
                    height: layout.height,
                    grey: layout.grey,
                })
            }
        };
        let movie = match index.movie {
            None => None,
            Some(script) => {
                if !script
                    .points
                    .iter()
                    .map(|point| &point.sample_index)
                    .eq(index.rows.iter().take(script.points.len()))
                {
                    return Err(malformed(None, "the movie's points first among the rows".into()));
                }
                if script.inversion.is_some_and(|frame| frame >= script.epochs.len()) {
                    return Err(malformed(None, "an inversion that is one of the frames".into()));
                }
                Some(read_movie(&folder.join(MOVIE), script)?)
            }
        };
        let pictures = Pictures {
            rows: index.rows,
            labels: index.labels,
            sprite,
        };
        Ok(Some(Exhibits {
            movie,
            pictures,
            samples: index.samples,
        }))
    }
}

fn script(movie: &Movie) -> Script {
    Script {
        replica: movie.replica,
        layer: movie.layer,
        samples: movie.samples,
        inversion: movie.inversion,
        epochs: movie.frames.iter().map(|frame| frame.epoch).collect(),
        points: movie
            .points
            .iter()
            .map(|point| Player {
                sample_index: point.sample_index,
                label: point.label,
                straggler: point.straggler,
                replicas: point.replicas,
            })
            .collect(),
        planes: movie
            .planes
            .iter()
            .map(|plane| Stage {
                name: plane.name.clone(),
                axes: plane.axes.each_ref().map(|axis| (axis.name.clone(), Some(axis.share))),
            })
            .collect(),
    }
}

fn write_movie(path: &Path, movie: &Movie) -> Result<(), ReportError> {
    let (frames, points) = (movie.frames.len(), movie.points.len());
    // A class index is far below the 2^24 up to which f32 holds every integer.
    let predicted: Vec<f32> = movie
        .frames
        .iter()
        .flat_map(|f| &f.predicted)
        .map(|&c| c as f32)
        .collect();
    let probability: Vec<f32> = movie.frames.iter().flat_map(|f| &f.probability).copied().collect();
    let positions: Vec<(String, Vec<f32>)> = movie
        .planes
        .iter()
        .enumerate()
        .map(|(k, plane)| {
            let values = plane.positions.iter().flatten().flatten().copied().collect();
            (positions_of(k), values)
        })
        .collect();
    let (flat, deep) = ([frames, points], [frames, points, 2]);
    let tensor = |name, shape, values| TensorRef { name, shape, values };
    let mut tensors = vec![
        tensor("predicted", &flat[..], predicted.as_slice()),
        tensor("probability", &flat[..], probability.as_slice()),
    ];
    tensors.extend(
        positions
            .iter()
            .map(|(name, values)| tensor(name, &deep[..], values.as_slice())),
    );
    Ok(write_tensors(path, &tensors)?)
}

fn positions_of(plane: usize) -> String {
    format!("positions/{plane}")
}

fn read_movie(path: &Path, script: Script) -> Result<Movie, ReportError> {
    let file = TensorFile::open(path)?;
    let (frames, points) = (script.epochs.len(), script.points.len());
    let read = |name: &str, shape: &[usize]| -> Result<Vec<f32>, ReportError> {
        let tensor = file.tensor(name)?;
        if tensor.shape != shape {
            return Err(ReportError::Malformed {
                path: path.to_owned(),
                line: None,
                expected: format!("'{name}' of shape {shape:?} as in {INDEX}, not {:?}", tensor.shape),
            });
        }
        Ok(tensor.values.into_iter().map(|v| v as f32).collect())
    };
    let predicted = read("predicted", &[frames, points])?;
    let probability = read("probability", &[frames, points])?;
    let row = |values: &[f32], frame: usize| -> Vec<f32> {
        let own = values.get(frame * points..(frame + 1) * points);
        own.unwrap_or_default().to_vec()
    };
    let frames_ = script.epochs.iter().enumerate().map(|(k, &epoch)| Frame {
        epoch,
        predicted: row(&predicted, k).into_iter().map(|class| class as u32).collect(),
        probability: row(&probability, k),
    });
    let mut planes = Vec::new();
    for (k, stage) in script.planes.into_iter().enumerate() {
        let values = read(&positions_of(k), &[frames, points, 2])?;
        let pairs: Vec<[f32; 2]> = values.as_chunks::<2>().0.to_vec();
        planes.push(Plane {
            name: stage.name,
            axes: stage.axes.map(|(name, share)| Axis {
                name,
                share: share.unwrap_or(f64::NAN),
            }),
            positions: (0..frames)
                .map(|k| pairs.get(k * points..(k + 1) * points).unwrap_or_default().to_vec())
                .collect(),
        });
    }
    Ok(Movie {
        replica: script.replica,
        layer: script.layer,
        samples: script.samples,
        frames: frames_.collect(),
        planes,
        inversion: script.inversion,
        points: script
            .points
            .into_iter()
            .map(|point| Point {
                sample_index: point.sample_index,
                label: point.label,
                straggler: point.straggler,
                replicas: point.replicas,
            })
            .collect(),
    })
}
