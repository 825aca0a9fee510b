//! Loads and stores of several registers: LDM, STM, PUSH, POP. A sequence of words, the lowest register at the lowest address.

use crate::a32::cx::{Cx, Lift, Undefined, bit, bits, rn};
use crate::a32::table::{Row, row_table};
use ir::{Type, Value};

/// Rows of A32.
pub static A32: &[Row] = row_table! { A32:
    "STMDA" "cccc 100000w0 nnnn llllllllllllllll" Base |cx, w| store(cx, a32(w));
    "LDMDA" "cccc 100000w1 nnnn llllllllllllllll" Base |cx, w| load(cx, a32(w));
    "STM, STMIA" "cccc 100010w0 nnnn llllllllllllllll" Base |cx, w| store(cx, a32(w));
    "LDM, LDMIA" "cccc 100010w1 nnnn llllllllllllllll" Base |cx, w| load(cx, a32(w));
    "STMDB" "cccc 100100w0 nnnn llllllllllllllll" Base |cx, w| store(cx, a32(w));
    "LDMDB" "cccc 100100w1 nnnn llllllllllllllll" Base |cx, w| load(cx, a32(w));
    "STMIB" "cccc 100110w0 nnnn llllllllllllllll" Base |cx, w| store(cx, a32(w));
    "LDMIB" "cccc 100110w1 nnnn llllllllllllllll" Base |cx, w| load(cx, a32(w));
    "STM (User registers)" "cccc 100pu1z0 nnnn llllllllllllllll" Base |_, _| Err(Undefined);
    "LDM (User registers, exception return)" "cccc 100pu1w1 nnnn llllllllllllllll" Base |_, _| Err(Undefined);
    "SRS" "1111 100pu1w0 oozo zzzz zzzo zzz mmmmm" Base |_, _| Err(Undefined);
    "RFE" "1111 100pu0w1 nnnn zzzz ozoz zzzzzzzz" Base |_, _| Err(Undefined);
};

/// Rows of T16.
pub static T16: &[Row] = row_table! { T16:
    "STM" "11000 nnn llllllll" Base |cx, w| {
        store(cx, Block { n: bits(w, 10, 8), list: bits(w, 7, 0), before: false, up: true, writeback: true })
    };
    "LDM" "11001 nnn llllllll" Base |cx, w| {
        let (n, list) = (bits(w, 10, 8), bits(w, 7, 0));
        load(cx, Block { n, list, before: false, up: true, writeback: !bit(list, n) })
    };
    "PUSH" "1011010m llllllll" Base |cx, w| {
        let list = bits(w, 7, 0) | bits(w, 8, 8) << 14;
        store(cx, Block { n: 13, list, before: true, up: false, writeback: true })
    };
    "POP" "1011110p llllllll" Base |cx, w| {
        let list = bits(w, 7, 0) | bits(w, 8, 8) << 15;
        load(cx, Block { n: 13, list, before: false, up: true, writeback: true })
    };
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "STM, STMIA" "1110100010w0 nnnn llllllllllllllll" Base |cx, w| store(cx, t32(w)?);
    "LDM, LDMIA" "1110100010w1 nnnn llllllllllllllll" Base |cx, w| load(cx, t32(w)?);
    "STMDB" "1110100100w0 nnnn llllllllllllllll" Base |cx, w| store(cx, t32(w)?);
    "LDMDB" "1110100100w1 nnnn llllllllllllllll" Base |cx, w| load(cx, t32(w)?);
    "SRSDB" "1110100000w0 oozo oozz zzzz zzz mmmmm" Base |_, _| Err(Undefined);
    "SRS, SRSIA" "1110100110w0 oozo oozz zzzz zzz mmmmm" Base |_, _| Err(Undefined);
    "RFEDB" "1110100000w1 nnnn oozz zzzzzzzzzzzz" Base |_, _| Err(Undefined);
    "RFE, RFEIA" "1110100110w1 nnnn oozz zzzzzzzzzzzz" Base |_, _| Err(Undefined);
};

/// Words of a list of registers at consecutive addresses.
#[derive(Clone, Copy)]
struct Block {
    /// Base register.
    n: u32,
    /// A bit for each register.
    list: u32,
    /// Addresses begin behind Rn (going up) or end before it (going down): IB, DB.
    before: bool,
    /// Addresses ascend from Rn, and writeback adds.
    up: bool,
    /// Rn is moved by the size of it all.
    writeback: bool,
}

/// P, U and W of A32.
fn a32(w: u32) -> Block {
    Block { n: rn(w), list: bits(w, 15, 0), before: bit(w, 24), up: bit(w, 23), writeback: bit(w, 21) }
}

/// T32's IA and DB. Lists of one register and with SP or both LR and PC are CONSTRAINED UNPREDICTABLE, but mean to hardware
/// what they mean in A32, and programs exist that have them.
fn t32(w: u32) -> Result<Block, Undefined> {
    let block = a32(w);
    if block.writeback && bit(block.list, block.n) {
        return Err(Undefined);
    }
    Ok(block)
}

impl Block {
    fn registers(self) -> impl Iterator<Item = u32> {
        (0..16).filter(move |&r| bit(self.list, r))
    }

    /// Its size in bytes.
    fn size(self) -> i32 {
        self.list.count_ones() as i32 * 4
    }

    /// Offset of its first word from Rn.
    fn start(self) -> i32 {
        match (self.up, self.before) {
            (true, false) => 0,
            (true, true) => 4,
            (false, false) => 4 - self.size(),
            (false, true) => -self.size(),
        }
    }

    fn base(self, cx: &mut Cx<'_, '_>) -> Result<Value, Undefined> {
        if self.list == 0 || self.n == 15 {
            return Err(Undefined);
        }
        Ok(cx.base(self.n))
    }

    fn write_back(self, cx: &mut Cx<'_, '_>, base: Value) {
        if self.writeback {
            let new = cx.displaced(base, if self.up { self.size() } else { -self.size() });
            cx.set_reg(self.n, new);
        }
    }
}

/// Stores; the base register as it was before, wherever it stands in the list.
fn store(cx: &mut Cx<'_, '_>, block: Block) -> Lift {
    if cx.at.thumb && bit(block.list, 15) {
        return Err(Undefined);
    }
    let base = block.base(cx)?;
    for (r, offset) in block.registers().zip((block.start()..).step_by(4)) {
        let addr = cx.displaced(base, offset);
        let v = cx.reg(r);
        cx.store(addr, v);
    }
    block.write_back(cx, base);
    Ok(None)
}

/// Loads. One of PC is a return if it takes the stack down, too: SP is the base or, with a frame pointer, in the list.
fn load(cx: &mut Cx<'_, '_>, block: Block) -> Lift {
    if !cx.at.thumb && block.writeback && bit(block.list, block.n) {
        return Err(Undefined);
    }
    let base = block.base(cx)?;
    let mut loaded = Vec::with_capacity(16);
    for (r, offset) in block.registers().zip((block.start()..).step_by(4)) {
        let addr = cx.displaced(base, offset);
        loaded.push((r, cx.load(Type::I32, addr)));
    }
    block.write_back(cx, base);
    for (r, v) in loaded {
        if r == 15 {
            return cx.exchange(v, block.n == 13 || bit(block.list, 13));
        }
        cx.set_reg(r, v);
    }
    Ok(None)
}
