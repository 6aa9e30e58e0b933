package state

type Permission struct {
	Entity int
	Group  bool
	Bits   int
}

// Packed values with a name.
const (
	BitsSee       = 1
	bitsSubfolder = 4
	BitsOwner     = 403710016
	BitsAdmin     = 1 << 28
	BitsGABOpen   = 16641 // see, read all, write own
	BitsGABClosed = 16384 // write own
)
