package spool

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// Versions of cyrus.index that are read. 9 and 10 are Cyrus 2.3, 12 is 2.4,
// 13 is 2.5, 14 to 17 are 3.0 to 3.6, 18 and 19 are 3.8 and 3.10. Fields that
// matter lie at the same offsets in all of them; from 20 on they do not.
const (
	minVersion = 9
	maxVersion = 19
	crcVersion = 12 // header and records end in a CRC-32
)

// indexHeader is what matters of the head of a cyrus.index.
type indexHeader struct {
	version     uint32
	headerSize  uint32
	recordSize  uint32
	records     uint32 // in the file, expunged ones among them
	lastUID     uint32
	uidValidity uint32
	options     uint32
}

// optionDeleted marks a mailbox that waits for its removal.
const optionDeleted = 1 << 31

// seenInIndex reports whether the owner's \Seen is a flag of the records.
// Before 2.4 it is in a database of the user.
func (h *indexHeader) seenInIndex() bool { return h.version >= crcVersion }

// System flags as bits of a record.
const (
	bitAnswered = 1 << 0
	bitFlagged  = 1 << 1
	bitDeleted  = 1 << 2
	bitDraft    = 1 << 3
	bitSeen     = 1 << 4
	bitArchived = 1 << 29 // the file is on the archive partition
	bitUnlinked = 1 << 30
	bitExpunged = 1 << 31
)

// record is one message of an index.
type record struct {
	uid      uint32
	date     int64 // seconds since 1970
	size     uint32
	flags    uint32
	keywords [4]uint32 // bit n stands for the mailbox's keyword n
	sha1     [20]byte  // of the content; zero when the index does not tell
}

func (r *record) gone() bool { return r.flags&(bitExpunged|bitUnlinked) != 0 }

func (r *record) time() time.Time { return time.Unix(r.date, 0) }

// has reports whether keyword n is set.
func (r *record) has(n int) bool { return r.keywords[n/32]&(1<<(n%32)) != 0 }

const minHeader = 76 // of version 9

// parseIndexHeader reads the head of an index; b may hold more.
func parseIndexHeader(b []byte) (indexHeader, error) {
	var h indexHeader
	if len(b) < minHeader {
		return h, fmt.Errorf("%w: %d bytes are no index", ErrDamaged, len(b))
	}
	field := func(off int) uint32 { return binary.BigEndian.Uint32(b[off:]) }
	h = indexHeader{version: field(8), headerSize: field(12), recordSize: field(16), records: field(20),
		lastUID: field(28), uidValidity: field(44), options: field(60)}
	minRecord := uint32(60)
	switch {
	case h.version < minVersion || h.version > maxVersion:
		return h, fmt.Errorf("%w: %d (known are %d to %d)", ErrVersion, h.version, minVersion, maxVersion)
	case h.version >= crcVersion:
		minRecord = 96
	}
	switch {
	case h.headerSize < minHeader || h.headerSize > 4096 || h.recordSize < minRecord || h.recordSize > 4096:
		return h, fmt.Errorf("%w: header of %d and records of %d bytes", ErrDamaged, h.headerSize, h.recordSize)
	case h.uidValidity == 0:
		return h, fmt.Errorf("%w: UIDVALIDITY 0", ErrDamaged)
	case len(b) < int(h.headerSize):
		return h, fmt.Errorf("%w: the header is cut off", ErrDamaged)
	}
	if h.version >= crcVersion {
		end := h.headerSize - 4
		if crc32.ChecksumIEEE(b[:end]) != binary.BigEndian.Uint32(b[end:]) {
			return h, fmt.Errorf("%w: checksum of the header", ErrDamaged)
		}
	}
	return h, nil
}

// parseRecord reads one record of h.recordSize bytes. With an error about the
// checksum the record is returned as it reads.
func (h *indexHeader) parseRecord(b []byte) (record, error) {
	field := func(off int) uint32 { return binary.BigEndian.Uint32(b[off:]) }
	r := record{uid: field(0), date: int64(field(4)), size: field(12), flags: field(32)}
	for i := range r.keywords {
		r.keywords[i] = field(36 + 4*i)
	}
	if h.version < crcVersion {
		// Then these bits have no meaning; expunged records are in cyrus.expunge.
		r.flags &= bitAnswered | bitFlagged | bitDeleted | bitDraft
		return r, nil
	}
	copy(r.sha1[:], b[60:80])
	end := h.recordSize - 4
	if crc32.ChecksumIEEE(b[:end]) != binary.BigEndian.Uint32(b[end:]) {
		return r, fmt.Errorf("%w: checksum of the record", ErrDamaged)
	}
	return r, nil
}

// indexReader walks through the records of an open index, a few at a time.
type indexReader struct {
	h    indexHeader
	r    *bufio.Reader
	n    uint32 // records read
	last uint32 // UID
	buf  []byte
}

func newIndexReader(r io.Reader) (*indexReader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(minHeader)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) == minHeader {
		if size := binary.BigEndian.Uint32(head[12:]); size > minHeader && size <= 4096 {
			if head, err = br.Peek(int(size)); err != nil && err != io.EOF {
				return nil, err
			}
		}
	}
	h, err := parseIndexHeader(head)
	if err != nil {
		return nil, err
	}
	br.Discard(int(h.headerSize))
	return &indexReader{h: h, r: br, buf: make([]byte, h.recordSize)}, nil
}

// errRecord is the trouble with one record; the next can still be read.
type errRecord struct {
	number uint32 // from 1
	uid    uint32 // as it reads
	err    error
}

func (e *errRecord) Error() string { return fmt.Sprintf("record %d: %v", e.number, e.err) }
func (e *errRecord) Unwrap() error { return e.err }

// next returns the next record, io.EOF after the last, an *errRecord for one
// that cannot be trusted, and any other error when no more can be read.
func (x *indexReader) next() (record, error) {
	if x.n == x.h.records {
		return record{}, io.EOF
	}
	if _, err := io.ReadFull(x.r, x.buf); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("%w: %d of %d records are there", ErrDamaged, x.n, x.h.records)
		}
		return record{}, err
	}
	x.n++
	r, err := x.h.parseRecord(x.buf)
	if err == nil && r.uid <= x.last {
		err = fmt.Errorf("%w: UID %d after %d", ErrDamaged, r.uid, x.last)
	}
	if err == nil && r.uid > x.h.lastUID {
		err = fmt.Errorf("%w: UID %d beyond the last one, %d", ErrDamaged, r.uid, x.h.lastUID)
	}
	if err != nil {
		return r, &errRecord{x.n, r.uid, err}
	}
	x.last = r.uid
	return r, nil
}
