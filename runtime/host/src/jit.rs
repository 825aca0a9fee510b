//! Code compiled at run time: the cache that holds it, links between its regions, what the dispatcher and the fault handler ask.
//! Takes guest addresses, gives host entries; the compiler itself is the `jit` crate.
//!
//! One lock guards all changes. Host code reads links and tables without it: an entry of a table points to a link of its own, which never
//! changes its guest address, and whose host entry always is code, if only that which returns to the dispatcher. A region that
//! is no longer valid loses its links first. The links in which a region's branches end change their address when that of the
//! branch is changed: who has read their host entry before goes the old way.
//!
//! When memory is used up, a new *generation* of code begins: all ways into the present one are taken, threads in it are called
//! out (`recall`), and its memory is given back when none is left in it. For this each thread says, while it is in host code or
//! looks at links, which generation was the present one when it began. While no generation can begin because too many are not
//! left yet, nothing is compiled; nor for a while after one in which compiling took most of the time: what runs is more than
//! memory can hold then, and is interpreted faster.
//!
//! Code is written through a second mapping of the same memory, so that no page is ever writable where it is executed, and
//! regions stand close together. Such memory is shared with children of a fork: it is therefore written once only, by the
//! process that mapped it; a flush and a child map new memory.
//!
//! # Safety
//! Host code follows the protocol of [`jit::Compiled`]. Code is written where none was since the memory was mapped. Links,
//! operations and tables of accesses live as long as their generation; the fault handler looks at those of the interrupted region,
//! which is not given back before its thread has left.
#![allow(unsafe_code)]

mod region;
mod space;
mod stubs;

pub use space::guest_pc;

use crate::code_pages::{self, CodePages};
use crate::mem::{PAGE, Vma, WRITE};
use crate::memory::Memory;
use crate::recall;
use crate::stats::ticks;
use crate::thread::{self, Process, Shared, Thread};
use crate::trace::Topic;
use abi::flag::FPCR_FZ;
use abi::{GuestState, HostFeature};
use ir::GuestAddr;
use jit::{Arena, Compiler, Features, First, Left, Link, Request, Table};
use region::{Fetch, Key, Patch, Region};
use space::{Place, SLOT, SLOTS, Space, map};
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stubs::{helpers, unlinked, xl_jit_enter, xl_jit_leave};

/// Entries of a table, as a power of two.
const TABLE_LOG2: u32 = 16;
/// Counters of entries, as a power of two: those of a large program's code would otherwise be shared by so many places that all of it
/// looks hot.
const COUNTERS_LOG2: u32 = 18;
/// Regions begin at multiples of this.
const ALIGN: u64 = 32;
/// Bytes of a region on average at least, for the size of tables.
const LEAST: u64 = 256;
/// Bytes of host code by default.
pub const CACHE: u64 = 256 << 20;

/// The link that every empty entry of a table points to. No jump ends at its address: top byte and upper half disagree.
static NOWHERE: Link = Link { host: AtomicU64::new(0), pc: AtomicU64::new(0x0001_ffff_ffff_fffe) };

/// Number of the present generation. A thread in host code, or looking at links, has the number in `Shared::compiled` that this was
/// when it began: it may be in that generation or a later one.
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// No generation begins before the time stamp counter says this; 0: one may.
static NOT_BEFORE: AtomicU64 = AtomicU64::new(0);

/// Counts calls of [`invalidate`]: code that is being compiled meanwhile may be stale.
static INVALIDATIONS: AtomicU64 = AtomicU64::new(0);

/// Entries seen of runs that are not compiled, by hash.
static COUNTERS: [AtomicU16; 1 << COUNTERS_LOG2] = [const { AtomicU16::new(0) }; 1 << COUNTERS_LOG2];

/// The tables, without and with FPCR.FZ; null until something is compiled.
static TABLES: [AtomicPtr<AtomicPtr<Link>>; 2] = [const { AtomicPtr::new(std::ptr::null_mut()) }; 2];

/// [`Table::shift`], which is the instruction set's.
static SHIFT: AtomicU32 = AtomicU32::new(0);

static PAGES: CodePages = CodePages::new();

static JIT: Mutex<Option<Jit>> = Mutex::new(None);

/// Counts for `XLATE_STATS`.
#[derive(Default)]
struct Counts {
    regions: AtomicU64,
    insns: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
    flushes: AtomicU64,
    invalidated: AtomicU64,
    patched: AtomicU64,
    again: AtomicU64,
}

static COUNTS: Counts = Counts {
    regions: AtomicU64::new(0),
    insns: AtomicU64::new(0),
    bytes: AtomicU64::new(0),
    entries: AtomicU64::new(0),
    flushes: AtomicU64::new(0),
    invalidated: AtomicU64::new(0),
    patched: AtomicU64::new(0),
    again: AtomicU64::new(0),
};

struct Jit {
    compiler: Compiler,
    features: Features,
    /// Bytes of host code of a generation.
    size: u64,
    /// Most regions of one.
    most: usize,
    /// Where the present generation is; none if there is no room for one.
    space: Option<Space>,
    /// When it began, and how long was compiled for it, by the time stamp counter.
    began: u64,
    compiling: u64,
    /// Generations that threads may be in still, with their numbers.
    past: Vec<(u64, Space)>,
    /// Those of the present generation.
    regions: Vec<Region>,
    found: HashMap<Key, usize>,
    /// Regions by where they begin, made of different code each; the latest comes last.
    versions: HashMap<Key, Vec<usize>>,
    /// Valid regions by the pages of their code.
    by_page: BTreeMap<u64, Vec<usize>>,
    /// Links of regions by where they lead, followed or not.
    links: HashMap<Key, Vec<*const Link>>,
    /// Links of tables.
    public: HashMap<Key, *const Link>,
    /// Not to be compiled.
    refused: HashSet<Key>,
    /// Where code changed.
    changes: HashMap<Key, Changes>,
}

/// What is known of code that changed.
#[derive(Default)]
struct Changes {
    /// How often it was compiled anew.
    count: u32,
    /// How often it is to become hot before that is done again.
    wait: u32,
}

// SAFETY: the pointers are to boxes of `things`.
unsafe impl Send for Jit {}

/// Where code is compiled after fewer entries, they do not tell what else is executed.
const LEAST_COUNTS: u16 = 8;

/// Regions go on where control came at least once in so many entries of those that make code hot. Ways out of other run-time
/// compilers' code are taken a few times before there is code for what comes then, and the branch is changed.
const RARE: u16 = 16;

/// How often hot code that is not found is interpreted before it is looked for with the lock.
const AGAIN: u16 = 200;

/// Regions of different code that are kept for one address: programs switch between two or three.
const VERSIONS: usize = 4;

/// How often code is to become hot again after so many changes: compiling takes as long as hundreds of executions by the
/// interpreter, but code that has changed often and then stays is to be compiled in the end.
fn patience(changes: u32) -> u32 {
    (1 << (changes / 8).min(8)) - 1
}

fn lock() -> MutexGuard<'static, Option<Jit>> {
    JIT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing is compiled, flushed or invalidated while this lives; to be held across `fork`.
pub struct Held {
    _pages: code_pages::Held<'static>,
    _guard: MutexGuard<'static, Option<Jit>>,
}

/// Stops changes.
pub fn hold() -> Held {
    let guard = lock();
    Held { _pages: PAGES.hold(), _guard: guard }
}

fn features() -> Features {
    const OSXSAVE_AVX: u32 = 1 << 27 | 1 << 28;
    const SSE_AVX_STATE: u64 = 6;
    const BASE: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;
    let one = __cpuid(1).ecx;
    let seven = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0).ebx } else { 0 };
    let more = if __cpuid(0x8000_0000).eax >= 0x8000_0001 { __cpuid(0x8000_0001).ecx } else { 0 };
    // SAFETY: OSXSAVE says that the instruction exists.
    let avx = one & OSXSAVE_AVX == OSXSAVE_AVX && unsafe { _xgetbv(0) } & SSE_AVX_STATE == SSE_AVX_STATE;
    Features {
        base: one & BASE == BASE,
        avx,
        avx2: avx && seven & 1 << 5 != 0,
        fma: avx && one & 1 << 12 != 0,
        bmi1: seven & 1 << 3 != 0,
        bmi2: seven & 1 << 8 != 0,
        lzcnt: more & 1 << 5 != 0,
    }
}

impl Jit {
    fn new(process: &Process) -> Option<Jit> {
        let mut features = features();
        features.fma &= process.options.without & HostFeature::Fma as u32 == 0;
        let compiler = Compiler::new(features)?;
        let size = crate::mem::page_up(process.options.jit_cache.clamp(4 * PAGE, 1 << 30))?;
        let most = (size / LEAST) as usize;
        NOWHERE.host.store(unlinked(), Ordering::Relaxed);
        SHIFT.store(if process.image.isa.is_32() { 1 } else { 2 }, Ordering::Relaxed);
        Some(Jit {
            compiler,
            features,
            size,
            most,
            space: None,
            began: 0,
            compiling: 0,
            past: Vec::new(),
            regions: Vec::new(),
            found: HashMap::new(),
            versions: HashMap::new(),
            by_page: BTreeMap::new(),
            links: HashMap::new(),
            public: HashMap::new(),
            refused: HashSet::new(),
            changes: HashMap::new(),
        })
    }

    /// Makes the mode's table, if there is none.
    fn make_table(mode: usize) -> Option<()> {
        if TABLES[mode].load(Ordering::Acquire).is_null() {
            let at = map(8 << TABLE_LOG2, libc::PROT_READ | libc::PROT_WRITE)? as *mut AtomicPtr<Link>;
            for n in 0..1 << TABLE_LOG2 {
                // SAFETY: just mapped, of that size.
                unsafe { at.add(n).write(AtomicPtr::new((&raw const NOWHERE).cast_mut())) };
            }
            TABLES[mode].store(at, Ordering::Release);
        }
        Some(())
    }

    fn table(mode: usize) -> Table {
        let shift = SHIFT.load(Ordering::Relaxed);
        Table { base: TABLES[mode].load(Ordering::Acquire) as u64, log2: TABLE_LOG2, shift }
    }

    fn entry(key: Key) -> &'static AtomicPtr<Link> {
        let table = Self::table(key.1);
        // SAFETY: mapped for good, and the index is in it.
        unsafe { &*(table.base as *const AtomicPtr<Link>).add(table.index(key.0)) }
    }

    /// Makes the region found by lookups of host code.
    fn publish(&mut self, key: Key, host: u64) {
        let Some(space) = &mut self.space else { return };
        let link = *self.public.entry(key).or_insert_with(|| space.things.link(key.0) as *const Link);
        // SAFETY: a box of `things`.
        unsafe { (*link).host.store(host, Ordering::Release) };
        Self::entry(key).store(link.cast_mut(), Ordering::Release);
    }

    /// Where links to that address lead now.
    fn destination(&self, key: Key) -> u64 {
        self.found.get(&key).map_or_else(unlinked, |&n| self.regions[n].host)
    }

    /// The region's code, which is not valid, has become what `patches` say.
    fn patch(&mut self, n: usize, patches: Vec<Patch>) {
        let mode = self.regions[n].key.1;
        for Patch { at, word, link, to } in patches {
            self.regions[n].code[at..at + 4].copy_from_slice(&word.to_le_bytes());
            // SAFETY: a box of `things`.
            let Link { host, pc } = unsafe { &*link };
            host.store(unlinked(), Ordering::Release);
            let from = pc.swap(to, Ordering::AcqRel);
            if let Some(before) = self.links.get_mut(&(from, mode)) {
                before.retain(|l| *l != link);
            }
            self.links.entry((to, mode)).or_default().push(link);
            host.store(self.destination((to, mode)), Ordering::Release);
            COUNTS.patched.fetch_add(1, Ordering::Relaxed);
            crate::trace!(Topic::Dispatch, "{from:#x}: a branch goes to {to:#x} now");
        }
    }

    /// Compiles the region there, or again the valid one given, if that was compiled for the first time and is used often.
    fn compile(&mut self, process: &'static Process, key: Key, again: Option<usize>) -> Option<u64> {
        if self.refused.contains(&key) {
            return None;
        }
        Self::make_table(key.1)?;
        if self.space.is_none() {
            self.begin_generation();
        }
        let invalidations = INVALIDATIONS.load(Ordering::SeqCst);
        let memory = Memory::new(&process.mem);
        // Where the guest may write, nothing but the code itself tells that it has changed.
        let area = process.mem.query(key.0);
        let writable = |v: Option<Vma>| v.is_some_and(|v| v.prot & WRITE != 0);
        let checked = writable(area) && !process.options.no_checks;
        let versions = self.versions.get(&key).filter(|_| again.is_none()).into_iter().flatten();
        let mut known: Vec<(usize, Vec<Patch>)> = versions
            .rev()
            .filter(|&&n| self.regions[n].checked == checked)
            .filter_map(|&n| Some((n, self.regions[n].patches(&memory)?)))
            .collect();
        if let Some(best) = (0..known.len()).min_by_key(|&i| known[i].1.len()) {
            let (n, patches) = known.swap_remove(best);
            self.patch(n, patches);
            return self.validate(n, invalidations);
        }
        if again.is_none() && self.versions.contains_key(&key) {
            let changes = self.changes.entry(key).or_default();
            if changes.wait > 0 {
                changes.wait -= 1;
                return None;
            }
            changes.count += 1;
            changes.wait = patience(changes.count);
        }
        let code = Fetch { memory: &memory, words: RefCell::default() };
        let lifted = !process.options.interpreter_only;
        let stop = |pc: u64| {
            lifted && process.image.entry(pc).is_some()
                || area.is_none_or(|v| !(v.start..v.end).contains(&pc))
                    && writable(process.mem.query(pc)) != writable(area)
        };
        let threshold = process.options.jit_threshold;
        let seen = |pc| {
            let n = counter(pc).load(Ordering::Relaxed);
            if n < threshold / RARE { 0 } else { n.min(threshold) }
        };
        let space = self.space.as_mut()?;
        let found = &self.found;
        let joins = |pc| found.contains_key(&(pc, key.1));
        let known = threshold >= LEAST_COUNTS;
        let first = (known && again.is_none() && !checked && process.options.jit_again != 0)
            .then(|| First { joins: &joins, counter: space.things.counter(process.options.jit_again) });
        let counter = first.map(|first| first.counter as *const AtomicI32);
        let request = Request {
            isa: process.image.isa,
            code: &code,
            pc: GuestAddr(key.0),
            stop: &stop,
            seen: known.then_some(&seen),
            first,
            checked,
            verified: process.options.verify,
            soft_float: key.1 != 0,
            helpers: helpers(),
            table: Self::table(key.1),
            fma: self.features.fma,
            debug: process.options.traces(Topic::Jit),
        };
        let first_link = space.things.links.len();
        let before = ticks();
        // The register allocator weighs in floating-point numbers, and FPSR is the guest's.
        let compiled = exec::apart(|| self.compiler.compile(&request, &mut space.things));
        self.compiling += ticks().saturating_sub(before);
        let Some(compiled) = compiled else {
            if again.is_none() {
                self.refused.insert(key);
            }
            return None;
        };
        let size = (compiled.code.len() as u64).next_multiple_of(ALIGN);
        let room =
            self.regions.len() < self.most && (space.used + size <= space.mapped || space.add_chunk(size));
        if !room {
            if size > self.size {
                self.refused.insert(key);
                return None;
            }
            self.end_generation();
            // Its links are gone.
            return self.compile(process, key, None);
        }
        let host = space.base + space.used;
        let to = host.wrapping_add(space.writable) as *mut u8;
        // SAFETY: the writable view of a part of the cache that was not used yet.
        unsafe { std::ptr::copy_nonoverlapping(compiled.code.as_ptr(), to, compiled.code.len()) };
        space.used += size;
        let accesses = compiled.accesses.into_boxed_slice();
        let place =
            Place { start: host, end: host + size, accesses: accesses.as_ptr(), count: accesses.len() };
        space.things.accesses.push(accesses);
        let slot = &SLOT[space.slot];
        // SAFETY: room for `most` of them, and readers stop at the count.
        unsafe { slot.places.load(Ordering::Relaxed).add(self.regions.len()).write(place) };
        for link in &space.things.links[first_link..] {
            let to = (link.pc.load(Ordering::Relaxed), key.1);
            self.links.entry(to).or_default().push(&raw const **link);
            if let Some(&n) = self.found.get(&to) {
                link.host.store(self.regions[n].host, Ordering::Release);
            }
        }
        let n = self.regions.len();
        let code = code.bytes(&compiled.ranges);
        let exits = compiled.exits.into_iter().map(|(from, link)| (from, link as *const Link)).collect();
        self.regions.push(Region {
            key,
            host,
            ranges: compiled.ranges,
            code,
            checked,
            exits,
            counter,
            valid: false,
        });
        let versions = self.versions.entry(key).or_default();
        if versions.len() == VERSIONS {
            versions.remove(0);
        }
        versions.push(n);
        slot.count.store(self.regions.len(), Ordering::Release);
        if let Some(before) = again {
            self.unlink(before);
            COUNTS.again.fetch_add(1, Ordering::Relaxed);
        }
        let host = self.validate(n, invalidations)?;
        for (count, by) in [
            (&COUNTS.regions, 1),
            (&COUNTS.insns, compiled.insns as u64),
            (&COUNTS.bytes, compiled.code.len() as u64),
        ] {
            count.fetch_add(by, Ordering::Relaxed);
        }
        crate::trace!(
            Topic::Dispatch,
            "{:#x}: compiled {} instructions to {} bytes at {host:#x}",
            key.0,
            compiled.insns,
            compiled.code.len()
        );
        Some(host)
    }

    /// The region there was entered often: compiles it again, as large as may be.
    fn compile_again(&mut self, process: &'static Process, key: Key) {
        let Some(&n) = self.found.get(&key) else { return };
        let Some(counter) = self.regions[n].counter else { return };
        // SAFETY: a box of `things`.
        unsafe { (*counter).store(i32::MAX, Ordering::Relaxed) };
        self.compile(process, key, Some(n));
    }

    /// Makes ways to the region, whose code was looked at when there had been so many invalidations.
    fn validate(&mut self, n: usize, invalidations: u64) -> Option<u64> {
        let Region { key, host, .. } = self.regions[n];
        self.regions[n].valid = true;
        self.found.insert(key, n);
        for &(start, len) in &self.regions[n].ranges {
            PAGES.add(start, len as u64);
        }
        for page in self.regions[n].pages() {
            let there = self.by_page.entry(page).or_default();
            if there.last() != Some(&n) {
                there.push(n);
            }
        }
        if INVALIDATIONS.load(Ordering::SeqCst) != invalidations {
            // Another thread changed code after it was read and before `PAGES` said that it matters.
            self.unlink(n);
            return None;
        }
        self.publish(key, host);
        for link in self.links.get(&key).into_iter().flatten() {
            // SAFETY: boxes of `things`.
            unsafe { (**link).host.store(host, Ordering::Release) };
        }
        Some(host)
    }

    /// The region's code may have changed.
    fn give_up(&mut self, n: usize) {
        let pc = self.regions[n].key.0;
        crate::trace!(Topic::Dispatch, "{pc:#x}: compiled code may be no longer valid");
        self.unlink(n);
        COUNTS.invalidated.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes all ways to the region.
    fn unlink(&mut self, n: usize) {
        let key = self.regions[n].key;
        self.regions[n].valid = false;
        for page in self.regions[n].pages() {
            if let Some(there) = self.by_page.get_mut(&page) {
                there.retain(|&m| m != n);
                if there.is_empty() {
                    self.by_page.remove(&page);
                }
            }
        }
        self.found.remove(&key);
        for link in self.links.get(&key).into_iter().flatten().chain(self.public.get(&key)) {
            // SAFETY: boxes of `things`.
            unsafe { (**link).host.store(unlinked(), Ordering::Release) };
        }
        Self::entry(key).store((&raw const NOWHERE).cast_mut(), Ordering::Release);
        for &(start, len) in &self.regions[n].ranges {
            PAGES.remove(start, len as u64);
        }
    }

    /// Takes all ways into the present generation.
    fn end_generation(&mut self) {
        for n in 0..self.regions.len() {
            if self.regions[n].valid {
                self.unlink(n);
            }
        }
        crate::trace!(Topic::Dispatch, "flushing {} compiled regions", self.regions.len());
        self.regions.clear();
        self.versions.clear();
        self.links.clear();
        self.public.clear();
        // Whoever begins with the new number finds nothing of the old generation.
        let number = GENERATION.fetch_add(1, Ordering::SeqCst);
        self.past.extend(self.space.take().map(|space| (number, space)));
        recall::from_compiled();
        let now = ticks();
        if self.compiling > now.saturating_sub(self.began) / 2 {
            NOT_BEFORE.store(now + 4 * self.compiling, Ordering::Relaxed);
        }
        COUNTS.flushes.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives back what no thread is in any more, and begins a generation if there is room.
    fn begin_generation(&mut self) {
        if pauses() {
            return;
        }
        NOT_BEFORE.store(0, Ordering::Relaxed);
        (self.began, self.compiling) = (ticks(), 0);
        let oldest = if self.past.is_empty() { 0 } else { recall::oldest() };
        for (_, space) in self.past.extract_if(.., |(number, _)| oldest == 0 || *number < oldest) {
            space.free();
        }
        let free = (0..SLOTS).find(|slot| self.past.iter().all(|(_, space)| space.slot != *slot));
        self.space = free.and_then(|slot| Space::new(slot, self.size, self.most));
    }
}

/// The mode that compiled code depends on: see `Key`.
pub fn mode(s: &GuestState) -> usize {
    (s.fpcr & FPCR_FZ != 0) as usize
}

/// The calling thread, to which `shared` belongs, is about to look at links; gives the present generation.
fn begin(shared: &Shared) -> u64 {
    let generation = GENERATION.load(Ordering::SeqCst);
    // An exchange, so that it is seen before what follows looks.
    shared.compiled.swap(generation, Ordering::SeqCst);
    generation
}

/// It looks at none any more.
fn end(shared: &Shared) {
    shared.compiled.store(0, Ordering::Release);
}

/// The host entry for that address, without the lock. The calling thread has begun.
fn lookup(key: Key) -> Option<u64> {
    if TABLES[key.1].load(Ordering::Acquire).is_null() {
        return None;
    }
    // SAFETY: entries point to `NOWHERE` or to links of a generation that the thread keeps from being given back.
    let link = unsafe { &*Jit::entry(key).load(Ordering::Acquire) };
    let host = link.host.load(Ordering::Acquire);
    (link.pc.load(Ordering::Relaxed) == key.0 && host != unlinked()).then_some(host)
}

/// True while nothing is compiled, and nothing that was compiled can be entered.
fn pauses() -> bool {
    match NOT_BEFORE.load(Ordering::Relaxed) {
        0 => false,
        time => ticks() < time,
    }
}

fn counter(pc: u64) -> &'static AtomicU16 {
    &COUNTERS[(pc >> 2 ^ pc >> 16) as usize & ((1 << COUNTERS_LOG2) - 1)]
}

/// For the interpreter at the end of a run: true if there is, or should be, compiled code for what comes next.
pub fn wants(s_mode: usize, threshold: u16, pc: u64) -> bool {
    if pauses() {
        return false;
    }
    let n = counter(pc).load(Ordering::Relaxed).saturating_add(1);
    counter(pc).store(n, Ordering::Relaxed);
    if n < threshold {
        return false;
    }
    // Entered often, but it may be what is not compiled, or another's address has its place in the table.
    if n == threshold || n >= threshold.saturating_add(AGAIN) {
        counter(pc).store(threshold, Ordering::Relaxed);
        return true;
    }
    let Some(shared) = thread::current() else { return true };
    begin(shared);
    let found = lookup((pc, s_mode)).is_some();
    end(shared);
    found
}

/// What became of [`run`].
pub enum Ran {
    /// There is no compiled code at pc.
    Not,
    /// It came back; go on at pc.
    On,
    /// The instruction at pc is for the interpreter.
    Alone,
    /// System call; pc is behind it.
    Syscall,
}

/// Runs compiled code at pc, compiling what is entered often enough.
///
/// # Safety
/// The calling thread's, with no other reference to the state live.
pub unsafe fn run(process: &'static Process, state: *mut GuestState) -> Ran {
    // SAFETY: as the caller promises; constant while compiled code runs, or written by it.
    let (pc, mode) = unsafe { ((*state).pc, mode(&*state)) };
    // SAFETY: as above; constant in the thread.
    let shared = unsafe { (*((*state).thread as *const Thread)).shared };
    let mut key = (process.image.isa.code_addr(pc), mode);
    let mut generation = begin(shared);
    let mut found = lookup(key);
    if found.is_none() {
        end(shared);
        found = find(process, key, None);
        if found.is_none() {
            return Ran::Not;
        }
        generation = begin(shared);
        // It may be gone again.
        found = lookup(key);
    }
    let mut ran = Ran::Not;
    while let Some(host) = found {
        // Threads would take the line from each other.
        if process.options.stats {
            COUNTS.entries.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: an entry of a generation that is not given back while this thread may be in it.
        let left = unsafe { xl_jit_enter(state, host) };
        const PC: u64 = Left::Pc as u64;
        const ALONE: u64 = Left::Alone as u64;
        const SYSCALL: u64 = Left::Syscall as u64;
        const CHANGED: u64 = Left::Changed as u64;
        const OFTEN: u64 = Left::Often as u64;
        ran = Ran::On;
        match left {
            PC => break,
            ALONE => ran = Ran::Alone,
            SYSCALL => ran = Ran::Syscall,
            CHANGED => {
                // SAFETY: compiled code is back.
                changed(unsafe { (*state).pc });
                break;
            }
            OFTEN => {
                // SAFETY: compiled code is back.
                let key = (process.image.isa.code_addr(unsafe { (*state).pc }), mode);
                if let Some(jit) = lock().as_mut() {
                    jit.compile_again(process, key);
                }
                break;
            }
            link => {
                // SAFETY: a link of such a generation.
                let pc = unsafe { (*(link as *const Link)).pc.load(Ordering::Acquire) };
                // SAFETY: compiled code is back.
                unsafe { (*state).pc = pc };
                key = (pc, mode);
                let lifted = !process.options.interpreter_only && process.image.entry(pc).is_some();
                // SAFETY: as above; its handlers write the word.
                let pending = unsafe { (&raw const (*state).pending).read_volatile() } != 0;
                if !lifted && !pending {
                    found = find(process, key, Some((link as *const Link, generation)));
                    if GENERATION.load(Ordering::SeqCst) != generation {
                        // What is kept from being given back is to be the present one.
                        generation = begin(shared);
                        found = lookup(key);
                    }
                    continue;
                }
            }
        }
        break;
    }
    end(shared);
    ran
}

/// The entry for that address; compiled if it was entered often enough. Leads `link`, which goes there, to it; with a link, the
/// calling thread has begun, in the generation given.
fn find(process: &'static Process, key: Key, link: Option<(*const Link, u64)>) -> Option<u64> {
    if pauses() {
        return None;
    }
    let n = counter(key.0).load(Ordering::Relaxed);
    if n < process.options.jit_threshold {
        counter(key.0).store(n + 1, Ordering::Relaxed);
        if n + 1 < process.options.jit_threshold {
            return None;
        }
    }
    let mut guard = lock();
    let known = guard.as_ref().and_then(|j| Some(j.regions[*j.found.get(&key)?].host));
    let jit = match known {
        Some(_) => guard.as_mut().expect("invariant: looked at above"),
        None => {
            if guard.is_none() {
                *guard = Jit::new(process);
            }
            guard.as_mut()?
        }
    };
    let host = match known {
        Some(host) => {
            // The table's entry may be another's.
            jit.publish(key, host);
            host
        }
        None => {
            let host = jit.compile(process, key, None);
            if host.is_none() {
                counter(key.0).store(1, Ordering::Relaxed);
            }
            host?
        }
    };
    // A link of an earlier generation would not be found again.
    if let Some((link, _)) = link.filter(|l| l.1 == GENERATION.load(Ordering::SeqCst)) {
        // SAFETY: a link of the present generation.
        let link = unsafe { &*link };
        // It may lead elsewhere by now.
        if link.pc.load(Ordering::Relaxed) == key.0 {
            link.host.store(host, Ordering::Release);
        }
    }
    Some(host)
}

/// A checked region has found that code there, or behind it, is not what it was.
fn changed(pc: u64) {
    let mut guard = lock();
    let Some(jit) = guard.as_mut() else { return };
    let Some(process) = thread::try_process() else { return };
    let memory = Memory::new(&process.mem);
    let mut any = false;
    for n in jit.by_page.get(&(pc / PAGE)).cloned().unwrap_or_default() {
        if !jit.regions[n].is_current(&memory) {
            jit.give_up(n);
            any = true;
        }
    }
    if any {
        recall::from_compiled();
    }
}

/// True if a checked region in the page of `pc` is not what its code is now.
pub fn is_changing(pc: u64, memory: &Memory) -> bool {
    let guard = lock();
    let Some(jit) = guard.as_ref() else { return false };
    let pc = thread::process().image.isa.bytes_at(pc);
    let there = jit.by_page.get(&(pc / PAGE)).into_iter().flatten();
    there.map(|&n| &jit.regions[n]).any(|r| r.checked && !r.is_current(memory))
}

/// The guest's cache lines have 64 bytes (CTR_EL0).
const LINE: u64 = 64;

/// IC IVAU of that address.
pub fn invalidate_line(addr: u64) {
    invalidate(addr & !(LINE - 1), LINE);
}

/// Code in that range is no longer what it was: the guest said so, or its mapping changed.
pub fn invalidate(start: u64, len: u64) {
    INVALIDATIONS.fetch_add(1, Ordering::SeqCst);
    if !PAGES.any(start, len) {
        return;
    }
    let mut guard = lock();
    let Some(jit) = guard.as_mut() else { return };
    let end = start.saturating_add(len);
    let before = COUNTS.invalidated.load(Ordering::Relaxed);
    let pages = start / PAGE..=(end - 1) / PAGE;
    let mut there: Vec<usize> = jit.by_page.range(pages).flat_map(|(_, there)| there).copied().collect();
    there.sort_unstable();
    there.dedup();
    for n in there {
        let r = &jit.regions[n];
        if r.ranges.iter().any(|&(s, l)| s < end && s + l as u64 > start) {
            jit.give_up(n);
        }
    }
    jit.refused.retain(|k| !(start..end).contains(&k.0));
    if COUNTS.invalidated.load(Ordering::Relaxed) != before {
        // Who is in a loop goes on in what it was.
        recall::from_compiled();
    }
}

/// Where the fault handler sends compiled code whose state is exact; with rdi = the state.
pub fn leave_address() -> u64 {
    xl_jit_leave as *const () as u64
}

/// In the child of a fork there are no other threads, so none is in compiled code.
pub fn after_fork_child() {
    if let Some(space) = lock().as_mut().and_then(|jit| jit.space.as_mut()) {
        // What is left of the last chunk is the parent's.
        space.used = space.mapped;
    }
}

/// What `XLATE_STATS` prints of the compiler.
pub struct Report;

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        write!(
            f,
            "{} regions of {} instructions, {} bytes, {} of them again; entered {} times; {} invalidated, {} branches relinked, {} flushes",
            get(&COUNTS.regions),
            get(&COUNTS.insns),
            get(&COUNTS.bytes),
            get(&COUNTS.again),
            get(&COUNTS.entries),
            get(&COUNTS.invalidated),
            get(&COUNTS.patched),
            get(&COUNTS.flushes),
        )?;
        // At the end of a process, by the threads that it ends.
        match recall::oldest() {
            0 => Ok(()),
            _ => write!(f, ", not all left"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_of_code_shares_no_counter() {
        for start in [0x40_0000u64, 0x7fc5_db29_8000, 0x55_0002_1000] {
            let there: HashSet<_> =
                (0..1 << 18).map(|n| std::ptr::from_ref(counter(start + 4 * n))).collect();
            // Where the code crosses into the next megabyte, a few of both meet.
            assert!(there.len() > (1 << 18) * 9 / 10, "{start:#x}: {}", there.len());
        }
    }
}
