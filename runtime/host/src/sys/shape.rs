//! Structures that a 32-bit guest and the 64-bit host lay out differently, as data: where each field stands on both sides. Takes
//! a call's list of structure arguments, gives the host its own copies of them, and the guest the results. Knows no system call.

use super::guest::{copy_from_guest, copy_to_guest};
use super::{Call, err};
use crate::hostcall::{ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS, Errno};

/// One field, or several that lie the same on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Offset and size for the guest.
    pub guest: (usize, usize),
    /// Offset and size for the host.
    pub host: (usize, usize),
    /// The shorter form is sign-extended, not zero-extended, to the longer one.
    pub signed: bool,
}

/// What happens to a host value that the guest's field cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Narrow {
    /// Its low bits remain.
    Cut,
    /// EOVERFLOW.
    Fail,
    /// The greatest value stands for it (RLIM_INFINITY).
    Most,
}

/// A structure. What no field covers is 0.
#[derive(Debug)]
pub struct Shape {
    /// Size for the guest.
    pub guest: usize,
    /// Size for the host.
    pub host: usize,
    /// For all its fields.
    pub narrow: Narrow,
    /// The fields.
    pub fields: &'static [Field],
}

/// Largest structure, on either side.
pub const LARGEST: usize = 208;

/// What fills the host's form of a [`Dir::Rest`], to see whether the kernel wrote it: no time has such a number of nanoseconds.
const UNTOUCHED: u8 = 0xff;

/// Who gives a structure to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dir {
    /// The guest to the kernel.
    In,
    /// The kernel to the guest, if the call succeeds.
    Out,
    /// Both.
    InOut,
    /// A time limit: the kernel leaves there what remains of it, unless it cannot be written.
    Limit,
    /// The kernel to the guest if the call was interrupted.
    Rest,
}

/// A structure argument. A null pointer stays one.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Which argument points to it.
    pub arg: usize,
    /// Direction.
    pub dir: Dir,
    /// What it is.
    pub shape: &'static Shape,
}

/// Most structures of a call.
pub const PARTS: usize = 3;

fn load(bytes: &[u8], signed: bool) -> u64 {
    let mut w = [0; 8];
    w[..bytes.len()].copy_from_slice(bytes);
    let v = u64::from_le_bytes(w);
    let unused = 64 - 8 * bytes.len() as u32;
    if signed { ((v << unused) as i64 >> unused) as u64 } else { v }
}

fn convert(from: &[u8], to: &mut [u8], signed: bool, narrow: Narrow) -> Result<(), Errno> {
    let (n, size) = (from.len(), to.len());
    if n == size {
        to.copy_from_slice(from);
        return Ok(());
    }
    let mut v = load(from, signed);
    if size < n {
        let unused = 64 - 8 * size as u32;
        let fits =
            if signed { ((v << unused) as i64 >> unused) as u64 == v } else { v << unused >> unused == v };
        match narrow {
            _ if fits => {}
            Narrow::Cut => {}
            Narrow::Fail => return Err(Errno(libc::EOVERFLOW)),
            Narrow::Most => v = u64::MAX,
        }
    } else if narrow == Narrow::Most && v == u64::MAX >> (64 - 8 * n as u32) {
        v = u64::MAX;
    }
    to.copy_from_slice(&v.to_le_bytes()[..size]);
    Ok(())
}

impl Shape {
    /// The host's form of the guest's bytes.
    pub fn to_host(&self, guest: &[u8], host: &mut [u8]) {
        host[..self.host].fill(0);
        for f in self.fields {
            let (g, h) = (&guest[f.guest.0..][..f.guest.1], &mut host[f.host.0..][..f.host.1]);
            // Where the host's field is the shorter one, as the kernel's is for the guest: its low bits.
            let narrow = if self.narrow == Narrow::Most { Narrow::Most } else { Narrow::Cut };
            let _ = convert(g, h, f.signed, narrow);
        }
    }

    /// The guest's form of the host's bytes.
    pub fn to_guest(&self, host: &[u8], guest: &mut [u8]) -> Result<(), Errno> {
        guest[..self.guest].fill(0);
        for f in self.fields {
            let (g, h) = (&mut guest[f.guest.0..][..f.guest.1], &host[f.host.0..][..f.host.1]);
            convert(h, g, f.signed, self.narrow)?;
        }
        Ok(())
    }

    /// Reads it from the guest.
    pub fn read(&self, at: u64, host: &mut [u8]) -> Result<(), Errno> {
        let mut bytes = [0; LARGEST];
        copy_from_guest(&mut bytes[..self.guest], at)?;
        self.to_host(&bytes, host);
        Ok(())
    }

    /// Writes it to the guest.
    pub fn write(&self, at: u64, host: &[u8]) -> Result<(), Errno> {
        let mut bytes = [0; LARGEST];
        self.to_guest(host, &mut bytes)?;
        copy_to_guest(at, &bytes[..self.guest])
    }
}

/// A structure in the host's form.
#[repr(C, align(8))]
pub struct Buffer(pub [u8; LARGEST]);

impl Buffer {
    /// All 0.
    pub fn new() -> Buffer {
        Buffer([0; LARGEST])
    }

    /// Its address.
    pub fn at(&mut self) -> u64 {
        self.0.as_mut_ptr() as u64
    }

    /// 8 bytes of it.
    pub fn word(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.0[offset..offset + 8].try_into().expect("invariant: 8 bytes"))
    }
}

/// Carries the call out by `inner` with the structures in the host's form.
pub fn with(c: &mut Call<'_>, parts: &[Part], inner: fn(&mut Call<'_>) -> i64) -> i64 {
    let guest = c.args;
    let mut buffers = [const { Buffer([0; LARGEST]) }; PARTS];
    for (p, b) in parts.iter().zip(&mut buffers) {
        if guest[p.arg] == 0 {
            continue;
        }
        if p.dir == Dir::Rest {
            b.0.fill(UNTOUCHED);
        }
        if matches!(p.dir, Dir::In | Dir::InOut | Dir::Limit)
            && let Err(e) = p.shape.read(guest[p.arg], &mut b.0)
        {
            return e.as_return();
        }
        c.args[p.arg] = b.at();
    }
    let r = inner(c);
    c.args = guest;
    for (p, b) in parts.iter().zip(&buffers) {
        let interrupted = r == -ERESTARTNOHAND || r == err(libc::EINTR);
        let due = match p.dir {
            Dir::In => false,
            Dir::Out | Dir::InOut => r >= 0,
            Dir::Limit => !matches!(-r, ERESTARTNOINTR | ERESTARTSYS),
            // Not written for times on a clock.
            Dir::Rest => interrupted && b.0 != [UNTOUCHED; LARGEST],
        };
        if guest[p.arg] == 0 || !due {
            continue;
        }
        match p.shape.write(guest[p.arg], &b.0) {
            Err(e) if p.dir != Dir::Limit => return e.as_return(),
            _ => {}
        }
    }
    r
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &[Field] = &[
        Field { guest: (0, 4), host: (0, 8), signed: true },
        Field { guest: (4, 4), host: (8, 8), signed: false },
    ];

    #[test]
    fn fields_widen_and_narrow() {
        let shape = |narrow| Shape { guest: 8, host: 16, narrow, fields: PAIR };
        let mut host = [0xaa; 16];
        let guest: Vec<u8> = [-5i32 as u32, 0xffff_ffff].iter().flat_map(|w| w.to_le_bytes()).collect();
        shape(Narrow::Cut).to_host(&guest, &mut host);
        assert_eq!((load(&host[..8], false), load(&host[8..], false)), (-5i64 as u64, 0xffff_ffff));
        let mut back = [0; 8];
        shape(Narrow::Fail).to_guest(&host, &mut back).unwrap();
        assert_eq!(back[..], guest[..]);
        shape(Narrow::Most).to_host(&guest, &mut host);
        assert_eq!(load(&host[8..], false), u64::MAX);
        shape(Narrow::Most).to_guest(&host, &mut back).unwrap();
        assert_eq!(back[4..], [0xff; 4]);
        host[12] = 1;
        assert_eq!(shape(Narrow::Fail).to_guest(&host, &mut back), Err(Errno(libc::EOVERFLOW)));
        shape(Narrow::Cut).to_guest(&host, &mut back).unwrap();
    }
}
