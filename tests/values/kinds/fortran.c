// SPDX-License-Identifier: Apache-2.0
// Fortran hands out addresses, also of numbers, unless they have VALUE; lengths
// of texts come behind; arrays of assumed shape by a descriptor.
//@ build: gfortran -O0 -g -o p f.f90
//@ build: gfortran -O2 -g -fno-inline -fno-ipa-cp -fno-ipa-sra -o p f.f90
//@ manifest: [[span, input(*n, *x, t = name[0:_name], one = arr[0])]] work_;
//@ manifest: [[span, input(*n)]] chars_; [[span, input(*a)]] cplx_; [[span]] vals_; [[span, input(s)]] desc_;
//@ expect: len(of("work_")) == 1 and all(v == {"n": 5, "x": 2.5, "t": "aGVsbG8=", "one": 1.5, "_name": 5}.get(k, v) for k, v in one("work_")["input"].items())
//@ expect: "-O2" in build or {"n", "x", "t", "one"} <= set(one("work_")["input"])
//@ expect: one("chars_")["input"].get("n", 42) == 42 and one("cplx_")["input"].get("a", 1.5) == 1.5
//@ expect: "-O2" in build or ("n" in one("chars_")["input"] and "a" in one("cplx_")["input"])
//@ expect: one("vals_")["input"].get("a", -7) == -7 and one("vals_")["input"].get("b", 3.5) == 3.5 and one("vals_")["output"].get("return", -4) == -4
//@ expect: one("desc_")["input"].get("k", 9) == 9 and one("desc_")["input"].get("_s", 4) == 4
//@ file: f.f90
subroutine work(n, x, name, arr)
  integer, intent(in) :: n
  real(8), intent(in) :: x
  character(len=*), intent(in) :: name
  real(8), intent(inout) :: arr(2,3)
  arr(2,1) = n + x + len(name)
end subroutine
subroutine desc(a, s, opt, k)
  real(8), intent(inout) :: a(:,:)
  character(len=*), intent(in) :: s
  integer, optional :: opt
  integer, value :: k
  a(1,1) = len(s) + k
  if (present(opt)) a(1,1) = a(1,1) + opt
end subroutine
function chars(n) result(r)
  integer, intent(in) :: n
  character(len=8) :: r
  write(r,'(I8)') n
end function
complex(8) function cplx(a)
  real(8), intent(in) :: a
  cplx = cmplx(a, a, 8)
end function
integer(8) function vals(a, b)
  integer(8), value :: a
  real(4), value :: b
  vals = a + int(b)
end function
program p
  interface
   subroutine desc(a, s, opt, k)
    real(8), intent(inout) :: a(:,:)
    character(len=*), intent(in) :: s
    integer, optional :: opt
    integer, value :: k
   end subroutine
   integer(8) function vals(a, b)
    integer(8), value :: a
    real(4), value :: b
   end function
   function chars(n) result(r)
    integer, intent(in) :: n
    character(len=8) :: r
   end function
   complex(8) function cplx(a)
    real(8), intent(in) :: a
   end function
  end interface
  real(8) :: z(2,3), w(4,5)
  z = 1.5d0
  call work(5, 2.5d0, "hello", z)
  call desc(w, "text", k=9)
  print *, z(1,1), w(1,1), chars(42), cplx(1.5d0), vals(-7_8, 3.5)
end program
