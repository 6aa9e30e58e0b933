package passwd

import (
	"encoding/binary"
	"math/bits"
)

// md4 is RFC 1320. The standard library has none, for good reasons; the NT
// hash is defined by it all the same.
func md4(msg []byte) [16]byte {
	n := len(msg)
	msg = append(append([]byte(nil), msg...), 0x80)
	for len(msg)%64 != 56 {
		msg = append(msg, 0)
	}
	msg = binary.LittleEndian.AppendUint64(msg, uint64(n)*8)

	a, b, c, d := uint32(0x67452301), uint32(0xefcdab89), uint32(0x98badcfe), uint32(0x10325476)
	var x [16]uint32
	for ; len(msg) > 0; msg = msg[64:] {
		for i := range x {
			x[i] = binary.LittleEndian.Uint32(msg[4*i:])
		}
		aa, bb, cc, dd := a, b, c, d
		for i := range 16 {
			t := a + (b&c | ^b&d) + x[i]
			a, b, c, d = d, bits.RotateLeft32(t, [4]int{3, 7, 11, 19}[i%4]), b, c
		}
		for i := range 16 {
			t := a + (b&c | b&d | c&d) + x[i%4*4+i/4] + 0x5a827999
			a, b, c, d = d, bits.RotateLeft32(t, [4]int{3, 5, 9, 13}[i%4]), b, c
		}
		for i := range 16 {
			t := a + (b ^ c ^ d) + x[[16]int{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}[i]] + 0x6ed9eba1
			a, b, c, d = d, bits.RotateLeft32(t, [4]int{3, 9, 11, 15}[i%4]), b, c
		}
		a, b, c, d = a+aa, b+bb, c+cc, d+dd
	}
	var out [16]byte
	for i, v := range []uint32{a, b, c, d} {
		binary.LittleEndian.PutUint32(out[4*i:], v)
	}
	return out
}
