/* unwind_asm.c: in the escapes, 0x0f: DW_CFA_def_cfa_expression, 0x10: DW_CFA_expression; 0x73, 0x76, 0x77:
 * DW_OP_breg of rbx, rbp, rsp; 0x06: DW_OP_deref; 0x23: DW_OP_plus_uconst; 0x12: DW_OP_dup; 0x13: DW_OP_drop.
 */
#include "unwind_asm.h"

#define FUNCTION(name, body)                                                                                 \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" body "\n.size " #name    \
	        ", . - " #name "\n");
#define DESCRIBED(name, body) FUNCTION(name, ".cfi_startproc\n" body "\n.cfi_endproc")
#define TAKE_ARGUMENTS "mov %rdi, %rax\n mov %rsi, %rdi\n"
#define IN_RBX(name, says)                                                                                   \
	DESCRIBED(name, "push %rbx\n mov %rdx, %rbx\n" TAKE_ARGUMENTS says                                   \
	                "\n call *%rax\n pop %rbx\n .cfi_def_cfa %rsp, 8\n ret")
#define IN_RBP(name, says)                                                                                   \
	DESCRIBED(                                                                                           \
	    name,                                                                                            \
	    "push %rbp\n .cfi_def_cfa_offset 16\n .cfi_offset %rbp, -16\n mov %rdx, %rbp\n" TAKE_ARGUMENTS   \
	        says "\n call *%rax\n pop %rbp\n ret")
#define PLAIN(name, says)                                                                                    \
	DESCRIBED(name, "sub $24, %rsp\n .cfi_def_cfa_offset 32\n" TAKE_ARGUMENTS says                       \
	                "\n call *%rax\n add $24, %rsp\n .cfi_def_cfa_offset 8\n ret")

FUNCTION(unwind_bare, "sub $24, %rsp\n mov %rdi, %rax\n mov %rsi, %rdi\n call *%rax\n add $24, %rsp\n ret")
DESCRIBED(unwind_saved_sp, "mov %rsp, %rcx\n .cfi_def_cfa_register %rcx\n sub $40, %rsp\n and $-64, %rsp\n"
                           " mov %rcx, (%rsp)\n .cfi_escape 0x0f, 5, 0x77, 0, 0x06, 0x23, 8\n" TAKE_ARGUMENTS
                           " call *%rax\n mov (%rsp), %rsp\n .cfi_def_cfa %rsp, 8\n ret")
PLAIN(unwind_restored, ".cfi_undefined 16\n nop\n .cfi_restore 16")
PLAIN(unwind_remembering, ".cfi_remember_state\n nop\n .cfi_def_cfa_offset 8\n nop\n .cfi_restore_state")
PLAIN(unwind_loop, ".cfi_def_cfa %rsp, 0")
PLAIN(unwind_long_loop, ".cfi_def_cfa %rsp, 0\n .cfi_undefined %rbx")
PLAIN(unwind_greedy, ".cfi_remember_state\n .cfi_remember_state\n .cfi_remember_state\n .cfi_remember_state\n"
                     " .cfi_remember_state\n")
PLAIN(unwind_stack_hog,
      ".cfi_escape 0x0f, 35, 0x77, 32, 0x12,0x12,0x12,0x12,0x12,0x12,0x12,0x12,0x12,0x12,0x12,"
      "0x12,0x12,0x12,0x12,0x12, 0x13,0x13,0x13,0x13,0x13,0x13,0x13,0x13,0x13,0x13,0x13,0x13,"
      "0x13,0x13,0x13,0x13, 0x96")
IN_RBX(unwind_liar, ".cfi_def_cfa %rbx, 0")
IN_RBX(unwind_pointing_liar, ".cfi_escape 0x0f, 3, 0x73, 0, 0x06")
IN_RBP(unwind_lost_saver, ".cfi_escape 0x10, 6, 2, 0x76, 0\n .cfi_escape 0x10, 12, 2, 0x76, 0x70")
