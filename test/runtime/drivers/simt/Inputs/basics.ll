; Vector add, a reduction by shuffles and shared memory, and a loop whose length differs for every lane.
target triple = "nvptx64-nvidia-cuda"
@partials = internal addrspace(3) global [32 x float] undef, align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)

define ptx_kernel void @add(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c, i64 %n) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %g = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %d = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %m = mul i32 %g, %d
  %i32 = add i32 %m, %t
  %i = zext i32 %i32 to i64
  %in = icmp ult i64 %i, %n
  br i1 %in, label %body, label %end
body:
  %pa = getelementptr float, ptr addrspace(1) %a, i64 %i
  %pb = getelementptr float, ptr addrspace(1) %b, i64 %i
  %pc = getelementptr float, ptr addrspace(1) %c, i64 %i
  %x = load float, ptr addrspace(1) %pa
  %y = load float, ptr addrspace(1) %pb
  %z = fadd float %x, %y
  store float %z, ptr addrspace(1) %pc
  br label %end
end:
  ret void
}

define ptx_kernel void @sum(ptr addrspace(1) %a, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr float, ptr addrspace(1) %a, i32 %t
  %v = load float, ptr addrspace(1) %p
  %s16 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %v, i32 16, i32 31)
  %v16 = fadd float %v, %s16
  %s8 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %v16, i32 8, i32 31)
  %v8 = fadd float %v16, %s8
  %s4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %v8, i32 4, i32 31)
  %v4 = fadd float %v8, %s4
  %s2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %v4, i32 2, i32 31)
  %v2 = fadd float %v4, %s2
  %s1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %v2, i32 1, i32 31)
  %v1 = fadd float %v2, %s1
  %lane = and i32 %t, 31
  %warp = lshr i32 %t, 5
  %first = icmp eq i32 %lane, 0
  br i1 %first, label %leader, label %meet
leader:
  %q = getelementptr float, ptr addrspace(3) @partials, i32 %warp
  store float %v1, ptr addrspace(3) %q
  br label %meet
meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %zero = icmp eq i32 %t, 0
  br i1 %zero, label %last, label %end
last:
  %d = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %warps = lshr i32 %d, 5
  br label %loop
loop:
  %i = phi i32 [0, %last], [%i1, %loop]
  %acc = phi float [0.0, %last], [%acc1, %loop]
  %r = getelementptr float, ptr addrspace(3) @partials, i32 %i
  %w = load float, ptr addrspace(3) %r
  %acc1 = fadd float %acc, %w
  %i1 = add i32 %i, 1
  %more = icmp ult i32 %i1, %warps
  br i1 %more, label %loop, label %store
store:
  store float %acc1, ptr addrspace(1) %out
  br label %end
end:
  ret void
}

; Counts steps of the Collatz sequence until 1.
define ptx_kernel void @collatz(ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %start = add i32 %t, 1
  %p = getelementptr i32, ptr addrspace(1) %out, i32 %t
  br label %head
head:
  %x = phi i32 [%start, %0], [%next, %step]
  %n = phi i32 [0, %0], [%n1, %step]
  %done = icmp eq i32 %x, 1
  br i1 %done, label %end, label %step
step:
  %odd = and i32 %x, 1
  %isodd = icmp eq i32 %odd, 1
  %half = lshr i32 %x, 1
  %triple = mul i32 %x, 3
  %up = add i32 %triple, 1
  %next = select i1 %isodd, i32 %up, i32 %half
  %n1 = add i32 %n, 1
  br label %head
end:
  store i32 %n, ptr addrspace(1) %p
  ret void
}
