package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/ictmedia/schoolmail"
)

const headLine1 = "# schoolmail journal, format 1\n"

// maxLine is the longest line in bytes, far more than an entry ever needs.
const maxLine = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of a line of format 1.
func checksum(number uint64, text []byte) uint32 {
	sum := crc32.Update(0, castagnoli, strconv.AppendUint(nil, number, 10))
	return crc32.Update(sum, castagnoli, text)
}

// parseLine takes a line without its line end apart.
func parseLine(line []byte) (number uint64, text []byte, reason string) {
	n, rest, ok := bytes.Cut(line, []byte{' '})
	sum, text, ok2 := bytes.Cut(rest, []byte{' '})
	if !ok || !ok2 || len(sum) != 8 {
		return 0, nil, "not an entry"
	}
	number, err := strconv.ParseUint(string(n), 10, 64)
	want, err2 := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || err2 != nil || len(n) > 1 && n[0] == '0' {
		return 0, nil, "not an entry"
	}
	if uint32(want) != checksum(number, text) {
		return 0, nil, "wrong checksum"
	}
	return number, text, ""
}

// scan reads a journal from its beginning and calls yield with the JSON of each
// entry, until yield returns false. It returns the length of the good part in
// bytes and the number of the last entry in it. Whatever follows the good
// part is an unfinished end; a damaged line before a good one is a CorruptError.
func scan(name string, r io.Reader, yield func(line int, text []byte) bool) (good int64, last uint64, err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	line := 0
	damage := "" // why reading stopped being good
	damagedLine := 0
	for {
		text, ended, tooLong, rerr := readLine(br)
		if rerr != nil {
			return good, last, rerr
		}
		if len(text) == 0 && !ended {
			return good, last, nil
		}
		line++
		switch {
		case line == 1:
			if ended && string(text)+"\n" == headLine1 {
				good = int64(len(headLine1))
				continue
			}
			if !ended && bytes.HasPrefix([]byte(headLine1), text) {
				return 0, 0, nil // a crash while the journal was begun
			}
			return 0, 0, &CorruptError{name, 1, "not a journal of format 1"}
		case !ended:
			// The last line has no line end: never finished.
			return good, last, nil
		}
		number, body, reason := parseLine(text)
		switch {
		case tooLong:
			reason = "longer than 1 MiB"
		case reason == "" && damage != "":
			return good, last, &CorruptError{name, damagedLine, damage + ", but good entries follow"}
		case reason == "" && number != last+1:
			return good, last, &CorruptError{name, line, fmt.Sprintf("entry %d after entry %d", number, last)}
		}
		if reason != "" {
			if damage == "" {
				damage, damagedLine = reason, line
			}
			continue
		}
		last = number
		good += int64(len(text)) + 1
		if yield != nil && !yield(line, body) {
			return good, last, nil
		}
	}
}

// readLine reads up to a line end. Of an overlong line only the beginning is kept.
func readLine(br *bufio.Reader) (text []byte, ended, tooLong bool, err error) {
	for {
		part, err := br.ReadSlice('\n')
		if room := maxLine - len(text); room < len(part) {
			part, tooLong = part[:max(0, room)], true
		}
		text = append(text, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(text, []byte{'\n'}), true, tooLong, nil
		case errors.Is(err, io.EOF):
			return text, false, tooLong, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, false, err
		}
	}
}

// readFormat1 calls yield with every entry of a journal of format 1.
func readFormat1(name string, r io.Reader, yield func(schoolmail.JournalEntry) bool) (good int64, err error) {
	var bad error
	good, _, err = scan(name, r, func(line int, text []byte) bool {
		var e schoolmail.JournalEntry
		if err := json.Unmarshal(text, &e); err != nil {
			bad = &CorruptError{name, line, "no journal entry: " + err.Error()}
			return false
		}
		return yield(e)
	})
	return good, errors.Join(bad, err)
}
