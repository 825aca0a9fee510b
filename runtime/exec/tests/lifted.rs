//! Random instructions of every encoding: what lifting gives is well-formed IR, also behind the passes, and runs that
//! the passes went over leave the same state and memory as single steps that they did not.

mod memory;

use abi::GuestState;
use exec::{Event, Interp};
use ir::{GuestAddr, verify_insts};
use isa::{Isa, a64};
use memory::Flat;

const CODE: u64 = 0x1_0000;
const SIZE: usize = 0x4000;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn word(&mut self, row: &a64::Row) -> u32 {
        let (mask, value) = row.bits();
        self.next() as u32 & !mask | value
    }
}

struct Words(Vec<u32>);

impl isa::Code for Words {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.0.get((pc.0 / 4) as usize).copied()
    }
}

#[test]
fn every_encoding_lifts_to_well_formed_ir() {
    let mut rng = Rng(1);
    for row in a64::rows() {
        for _ in 0..200 {
            let word = rng.word(row);
            let run = a64::lift_run(&Words(vec![word]), GuestAddr(0), GuestAddr(4), 1);
            let errors = verify_insts(&run.insts, &a64::FILE);
            assert_eq!(errors, [], "{row:?} {word:08x}\n{}", ir::display_insts(&run.insts, &a64::FILE));
            let text = ir::display_insts(&run.insts, &a64::FILE).to_string();
            assert_eq!(ir::parse_insts(&text, &a64::FILE).as_ref(), Ok(&run.insts), "{row:?}");
        }
    }
}

fn random_state(rng: &mut Rng) -> GuestState {
    let mut s = GuestState { pc: CODE, ..GuestState::default() };
    for x in &mut s.x {
        *x = match rng.next() % 4 {
            0 => rng.next(),
            1 => rng.next() % 64,
            // Somewhere in the data part.
            _ => (CODE + 0x1000 + rng.next() % 0x2000) & !(rng.next() % 16),
        };
    }
    s.sp = CODE + 0x2000;
    s.v = std::array::from_fn(|_| [rng.next(), rng.next()]);
    s.nzcv = std::array::from_fn(|_| (rng.next() & 1) as u8);
    s.fpcr = [0, 1 << 25, 1 << 24, 2 << 22][rng.next() as usize % 4];
    s
}

/// Everything that the guest could see.
fn visible(s: &GuestState) -> String {
    let GuestState { x, sp, pc, nzcv, qc, fpsr, v, tpidr, excl_size, .. } = s;
    format!("{x:x?} {sp:x} {pc:x} {nzcv:?} {qc} {fpsr:x} {v:x?} {tpidr:x} {excl_size}")
}

#[test]
fn optimized_runs_agree_with_single_steps() {
    let rows: Vec<&a64::Row> = a64::rows().collect();
    let mut rng = Rng(7);
    let mut executed = 0;
    for case in 0..400 {
        let mut words: Vec<u32> = Vec::new();
        for _ in 0..24 {
            let row = rows[rng.next() as usize % rows.len()];
            words.push(rng.word(row));
        }
        // Reading the counter gives another value each time.
        words.retain(|w| w >> 5 != 0xd53b_e040 >> 5 && a64::is_defined(*w));
        let mut interp = Interp::new(Isa::A64);
        for round in 0..40 {
            let state = random_state(&mut rng);
            let mut mem = Flat::new(CODE, SIZE);
            mem.words(CODE, &words);
            for b in &mut mem.bytes[0x1000..] {
                *b = rng.next() as u8;
            }
            let (mut a, mut b) = (state.clone(), state);
            let mut mem_b = Flat { bytes: mem.bytes.clone(), ..mem };
            let event = interp.run(&mut a, &mut mem, |_| true);
            // The steps of another interpreter, until it is where the run stopped.
            let mut single = Interp::new(Isa::A64);
            let mut last = Event::Continue;
            for _ in 0..64 {
                last = single.step(&mut b, &mut mem_b);
                executed += 1;
                let same = last == event && visible(&a) == visible(&b);
                if same || last != Event::Continue {
                    break;
                }
            }
            assert_eq!(visible(&a), visible(&b), "case {case} round {round} {words:08x?} {event:?} {last:?}");
            assert_eq!(event, last, "case {case} round {round} {words:08x?}");
            assert!(mem.bytes == mem_b.bytes, "case {case} {words:08x?}");
        }
    }
    assert!(executed > 10_000, "{executed}");
}
