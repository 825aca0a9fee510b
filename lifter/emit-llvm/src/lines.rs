//! Where finished code is best put relative to the lines of the host's instruction cache. LLVM aligns innermost loops, so
//! that all of a function's have one distance from the start of a line, which whoever places the function chooses.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};
use std::collections::BTreeMap;

/// Bytes of a line. Innermost loops begin at multiples of it from the start of a function's code.
pub const LINE: usize = 64;

/// A line's instructions are held decoded in entries of this many, of which a line has two: with more instructions than
/// that, the line is decoded again each time (measured on AMD's family 26).
const ENTRY: usize = 6;

/// Loops of more bytes than this are not limited by the fetching of their lines.
const LOOP_LIMIT: usize = 512;

/// Loops around others may be this large.
const OUTER_LIMIT: usize = 4096;

/// Distances from the start of a line, the best where it does not matter first.
const PHASES: [usize; 4] = [32, 16, 0, 48];

/// Start and end of each instruction of a loop.
type Body = Vec<(usize, usize)>;

/// How far behind the start of a line code should be put that has innermost loops at multiples of [`LINE`].
pub fn phase(code: &[u8]) -> usize {
    let all = decode(code);
    // The nearest way back to each head, and all ways back.
    let mut loops: BTreeMap<usize, usize> = BTreeMap::new();
    let mut around = Vec::new();
    for i in all.iter().filter(|i| is_jump(i)) {
        let (head, end) = (i.near_branch_target() as usize, i.next_ip() as usize);
        if head >= end || end - head > OUTER_LIMIT {
            continue;
        }
        around.push((head, end));
        if head.is_multiple_of(LINE) && end - head <= LOOP_LIMIT {
            let nearest = loops.entry(head).or_insert(end);
            *nearest = end.min(*nearest);
        }
    }
    let mut costs = [0; PHASES.len()];
    for (&head, &end) in &loops {
        let depth = around.iter().filter(|&&(h, e)| h < head && e > end).count();
        let weight = 8u64.pow(depth.min(2) as u32);
        let body = body(&all, head, end);
        let each = PHASES.map(|p| cost(&body, p));
        let least = each.into_iter().min().unwrap_or(1);
        for (sum, c) in costs.iter_mut().zip(each) {
            *sum += weight * c * 64 / least;
        }
    }
    let best = (0..PHASES.len()).min_by_key(|&p| costs[p]);
    best.map_or(0, |p| PHASES[p])
}

fn decode(code: &[u8]) -> Vec<Instruction> {
    Decoder::with_ip(64, code, 0, DecoderOptions::NONE).into_iter().collect()
}

fn is_jump(i: &Instruction) -> bool {
    matches!(i.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch)
        && i.code() != Code::INVALID
}

/// Instructions of a loop as the host counts them: a comparison and the jump behind it are one.
fn body(all: &[Instruction], head: usize, end: usize) -> Body {
    let at = |ip: usize| all.partition_point(|i| (i.ip() as usize) < ip);
    let mut body = Body::new();
    let mut compared = false;
    for i in &all[at(head)..at(end)] {
        let (start, next) = (i.ip() as usize - head, i.next_ip() as usize - head);
        match body.last_mut() {
            Some(last) if compared && i.flow_control() == FlowControl::ConditionalBranch => last.1 = next,
            _ => body.push((start, next)),
        }
        compared = matches!(
            i.mnemonic(),
            Mnemonic::Cmp
                | Mnemonic::Test
                | Mnemonic::Add
                | Mnemonic::Sub
                | Mnemonic::And
                | Mnemonic::Inc
                | Mnemonic::Dec
        );
    }
    body
}

/// Half cycles that a turn of the loop takes at least, if it begins at `phase`.
fn cost(body: &Body, phase: usize) -> u64 {
    let mut lines: BTreeMap<usize, usize> = BTreeMap::new();
    for &(start, _) in body {
        *lines.entry((start + phase) / LINE).or_default() += 1;
    }
    let first = lines.get(&(phase / LINE)).copied().unwrap_or(0);
    let last_byte = body.last().map_or(0, |&(_, end)| end + phase - 1);
    if body.len() <= 2 * ENTRY && first > ENTRY && last_byte >= LINE {
        // It would be fetched in one go if it lay in one line, or half in each.
        return 4;
    }
    let fetch: u64 = lines
        .values()
        .map(|&n| match n {
            n if n <= ENTRY => 1,
            n if n <= 2 * ENTRY => 2,
            _ => 6,
        })
        .sum();
    fetch.max(body.len() as u64 / 4).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop of so many instructions of four bytes at the start, with `dec` and `jne` behind.
    fn counted(instructions: u8) -> Vec<u8> {
        let mut code: Vec<u8> = (0..instructions).flat_map(|_| [0x0f, 0x1f, 0x40, 0x00]).collect();
        code.extend([0x48, 0xff, 0xc9]);
        code.extend([0x75, (-(4 * instructions as i32 + 5)) as u8, 0xc3]);
        code
    }

    #[test]
    fn small_loops_stay_within_a_line() {
        // 12 of the host's instructions in 49 bytes.
        assert!(matches!(phase(&counted(11)), 0 | 48));
    }

    #[test]
    fn no_line_has_more_than_two_entries() {
        for n in 12..24 {
            let p = phase(&counted(n));
            assert!(p == 32 || p == 16, "{n} instructions: {p}");
        }
    }

    #[test]
    fn without_loops_it_does_not_matter() {
        assert_eq!(phase(&[0xc3]), PHASES[0]);
    }
}
