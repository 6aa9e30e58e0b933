package runner

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// monitor keeps the wave's state in a file.
type monitor struct {
	file string
	next func(migrate.WaveStatus)

	mu    sync.Mutex
	state State
	err   error
}

func (m *monitor) status(s migrate.WaveStatus) {
	m.mu.Lock()
	m.state.WaveStatus = s
	m.write()
	m.mu.Unlock()
	if m.next != nil {
		m.next(s)
	}
}

func (m *monitor) event(e migrate.Event) {
	p, ok := e.(migrate.Paused)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Waiting, m.state.Until = fmt.Sprintf("%s: %v", p.Side, p.Err), p.Until.UTC().Truncate(time.Second)
	m.write()
}

// write is called with the lock. A monitor's file that cannot be written stops
// nothing; it is told at the end.
func (m *monitor) write() {
	now := time.Now().UTC()
	m.state.Time = now.Truncate(time.Second)
	if !m.state.Until.After(now) {
		m.state.Waiting, m.state.Until = "", time.Time{}
	}
	b, err := json.MarshalIndent(&m.state, "", "  ")
	if err == nil {
		err = atomicfile.WriteBytes(m.file, 0o600, append(b, '\n'))
	}
	if err != nil {
		m.err = fmt.Errorf("migrate: state of the wave: %w", err)
	}
}

func (m *monitor) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}
