//! Cryptographic instructions: AES, SHA-1, SHA-256, SHA-512, SHA-3 (Arm ARM C4.1.96). Rounds are named helpers; the
//! three-way logic of SHA-3 is composed.

use crate::a64::cx::{Cx, Lift, bits, ra, rd, rn};
use crate::a64::table::{Feature, Row};
use ir::{Helper, Lane, PureOp, Type, VBit, VShift, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[AES, SHA1, SHA256, SHA512, SHA3];

const AES: &[Row] = rows! { Aes:
    "AESE" "01001110 00101000 010010 nnnnnddddd" |cx, w| dn(cx, w, Helper::AesE);
    "AESD" "01001110 00101000 010110 nnnnnddddd" |cx, w| dn(cx, w, Helper::AesD);
    "AESMC" "01001110 00101000 011010 nnnnnddddd" |cx, w| mix(cx, w, Helper::AesMc);
    "AESIMC" "01001110 00101000 011110 nnnnnddddd" |cx, w| mix(cx, w, Helper::AesImc);
};

const SHA1: &[Row] = rows! { Sha1:
    "SHA1C" "01011110 000mmmmm 000000 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha1C);
    "SHA1P" "01011110 000mmmmm 000100 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha1P);
    "SHA1M" "01011110 000mmmmm 001000 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha1M);
    "SHA1SU0" "01011110 000mmmmm 001100 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha1Su0);
    "SHA1H" "01011110 00101000 000010 nnnnnddddd" sha1h;
    "SHA1SU1" "01011110 00101000 000110 nnnnnddddd" |cx, w| dn(cx, w, Helper::Sha1Su1);
};

const SHA256: &[Row] = rows! { Sha256:
    "SHA256H" "01011110 000mmmmm 010000 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha256H);
    "SHA256H2" "01011110 000mmmmm 010100 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha256H2);
    "SHA256SU1" "01011110 000mmmmm 011000 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha256Su1);
    "SHA256SU0" "01011110 00101000 001010 nnnnnddddd" |cx, w| dn(cx, w, Helper::Sha256Su0);
};

const SHA512: &[Row] = rows! { Sha512:
    "SHA512H" "11001110 011mmmmm 100000 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha512H);
    "SHA512H2" "11001110 011mmmmm 100001 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha512H2);
    "SHA512SU1" "11001110 011mmmmm 100010 nnnnnddddd" |cx, w| dnm(cx, w, Helper::Sha512Su1);
    "SHA512SU0" "11001110 11000000 100000 nnnnnddddd" |cx, w| dn(cx, w, Helper::Sha512Su0);
};

const SHA3: &[Row] = rows! { Sha3:
    "EOR3" "11001110 000mmmmm 0aaaaa nnnnnddddd" |cx, w| three_way(cx, w, VBit::Xor);
    "BCAX" "11001110 001mmmmm 0aaaaa nnnnnddddd" |cx, w| three_way(cx, w, VBit::AndNot);
    "RAX1" "11001110 011mmmmm 100011 nnnnnddddd" rax1;
    "XAR" "11001110 100mmmmm iiiiii nnnnnddddd" xar;
};

/// `SHA256H Qd, Qn, Vm.4S`
fn dnm(cx: &mut Cx<'_, '_>, w: u32, helper: Helper) -> Lift {
    let (d, n, m) = cx.vec_dnm(w);
    let r = cx.b.pure(PureOp::Helper(helper), &[d, n, m]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `AESE Vd.16B, Vn.16B`
fn dn(cx: &mut Cx<'_, '_>, w: u32, helper: Helper) -> Lift {
    let (d, n) = (cx.vec(rd(w)), cx.vec(rn(w)));
    let r = cx.b.pure(PureOp::Helper(helper), &[d, n]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `AESMC Vd.16B, Vn.16B`
fn mix(cx: &mut Cx<'_, '_>, w: u32, helper: Helper) -> Lift {
    let n = cx.vec(rn(w));
    let r = cx.b.pure(PureOp::Helper(helper), &[n]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `SHA1H Sd, Sn`
fn sha1h(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = cx.scalar(Type::I32, rn(w));
    let r = cx.b.pure(PureOp::Helper(Helper::Sha1H), &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `EOR3 Vd.16B, Vn.16B, Vm.16B, Va.16B`: Vn ^ (Vm op Va).
fn three_way(cx: &mut Cx<'_, '_>, w: u32, op: VBit) -> Lift {
    let (n, m) = cx.vec_nm(w);
    let a = cx.vec(ra(w));
    let inner = cx.vbit(op, m, a);
    let r = cx.vbit(VBit::Xor, n, inner);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// Doublewords rotated right by 0–63.
fn rotate_right(cx: &mut Cx<'_, '_>, v: Value, amount: u32) -> Value {
    if amount == 0 {
        return v;
    }
    let low = cx.vshift(VShift::UShr, Lane::D2, v, amount);
    let high = cx.vshift(VShift::Shl, Lane::D2, v, 64 - amount);
    cx.vbit(VBit::Or, low, high)
}

/// `RAX1 Vd.2D, Vn.2D, Vm.2D`
fn rax1(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (n, m) = cx.vec_nm(w);
    let rotated = rotate_right(cx, m, 63);
    let r = cx.vbit(VBit::Xor, n, rotated);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `XAR Vd.2D, Vn.2D, Vm.2D, #imm6`
fn xar(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (n, m) = cx.vec_nm(w);
    let x = cx.vbit(VBit::Xor, n, m);
    let r = rotate_right(cx, x, bits(w, 15, 10));
    cx.set_vec(rd(w), r);
    Ok(None)
}
