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

	mu    sync.Mutex
	state State
	err   error
}

func (m *monitor) event(e migrate.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e := e.(type) {
	case migrate.WaveStatus:
		m.state.WaveStatus = e
	case migrate.Paused:
		m.state.Waiting, m.state.Until = fmt.Sprintf("%s: %v", e.Side, e.Err), e.Until.UTC().Truncate(time.Second)
	default:
		return
	}
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
