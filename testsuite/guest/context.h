// What signal handlers find of a processor, by names that A64 and AArch32 share. Taken from a context; assignments change it.
#ifndef CONTEXT_H
#define CONTEXT_H
#include <stdint.h>
#include <ucontext.h>

// A general register, and one in a context, where it has a type of its own.
typedef uintptr_t word;
typedef word __attribute__((may_alias)) saved;

#ifdef __aarch64__
#define PC(uc) (uc)->uc_mcontext.pc
#define REGISTERS(uc) ((saved *)(uc)->uc_mcontext.regs)
#define NZCV(uc) ((uc)->uc_mcontext.pstate >> 28)
#define FP_MAGIC 0x46508001u
static inline uint32_t *fp_record(ucontext_t *uc) { return (uint32_t *)uc->uc_mcontext.__reserved; }
// Register V n.
static inline uint64_t *vector(ucontext_t *uc, int n) { return (uint64_t *)(fp_record(uc) + 4) + 2 * n; }
// Goes back to the caller.
static inline void leave(ucontext_t *uc) { PC(uc) = REGISTERS(uc)[30]; }
#else
#define PC(uc) (uc)->uc_mcontext.arm_pc
#define REGISTERS(uc) ((saved *)&(uc)->uc_mcontext.arm_r0)
#define NZCV(uc) ((uc)->uc_mcontext.arm_cpsr >> 28)
#define FP_MAGIC 0x56465001u
static inline uint32_t *fp_record(ucontext_t *uc) { return (uint32_t *)uc->uc_regspace; }
// Register Q n.
static inline uint64_t *vector(ucontext_t *uc, int n) { return (uint64_t *)(fp_record(uc) + 2) + 2 * n; }
// Goes back to the caller, in its state.
static inline void leave(ucontext_t *uc)
{
    word lr = uc->uc_mcontext.arm_lr;
    PC(uc) = lr & ~(word)1;
    uc->uc_mcontext.arm_cpsr = (uc->uc_mcontext.arm_cpsr & ~0x20u) | (lr & 1) << 5;
}
// The beginning of assembly beside C code of either instruction set, and what makes an instruction four bytes in both.
#ifdef __thumb__
#define ASSEMBLY ".text\n.syntax unified\n.thumb\n.balign 4\n"
#define WIDE ".w "
#else
#define ASSEMBLY ".text\n.syntax unified\n.arm\n"
#define WIDE " "
#endif
#endif
#endif
