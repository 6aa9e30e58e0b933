package ucs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// notifier speaks version 3 of the protocol of Univention's directory notifier: a
// few lines, ended by an empty one, one question at a time. The notifier does not
// answer what it does not like; hence the timeouts.
type notifier struct {
	conn    net.Conn
	r       *bufio.Reader
	msg     int
	silence time.Duration
}

// answerTime is how long an answer may take that need not wait for anything.
const answerTime = 30 * time.Second

func dialNotifier(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), addr string,
	silence time.Duration) (*notifier, error) {
	inner, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := dial(inner, "tcp", addr)
	if err != nil {
		return nil, err
	}
	n := &notifier{conn: conn, r: bufio.NewReader(conn), silence: silence}
	defer n.cutOn(ctx)()
	conn.SetDeadline(time.Now().Add(answerTime))
	if _, err := conn.Write([]byte("Version: 3\nCapabilities: \n\n")); err != nil {
		conn.Close()
		return nil, err
	}
	lines, err := n.packet()
	if err == nil && (len(lines) == 0 || lines[0] != "Version: 3") {
		err = errors.New("no notifier of version 3 answers there")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return n, nil
}

// cutOn ends the connection when the context ends; what it returns calls that
// off.
func (n *notifier) cutOn(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { n.conn.Close() })
	return func() { stop() }
}

func (n *notifier) close() { n.conn.Close() }

// packet reads lines up to an empty one.
func (n *notifier) packet() ([]string, error) {
	var out []string
	for size := 0; ; {
		l, err := n.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if l = strings.TrimRight(l, "\r\n"); l == "" {
			return out, nil
		}
		if size += len(l); size > 8192 {
			return nil, errors.New("answer is too long")
		}
		out = append(out, l)
	}
}

func (n *notifier) ask(question string) (int, error) {
	n.msg++
	n.conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err := fmt.Fprintf(n.conn, "MSGID: %d\n%s\n\n", n.msg, question)
	return n.msg, err
}

// answer reads the answer to a question, passing over those to others.
func (n *notifier) answer(msg int, patience time.Duration) (string, error) {
	n.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		lines, err := n.packet()
		if err != nil {
			return "", err
		}
		if len(lines) == 2 && lines[0] == "MSGID: "+strconv.Itoa(msg) {
			return lines[1], nil
		}
	}
}

// id is the newest number.
func (n *notifier) id(ctx context.Context) (int64, error) {
	defer n.cutOn(ctx)()
	msg, err := n.ask("GET_ID")
	if err != nil {
		return 0, err
	}
	a, err := n.answer(msg, answerTime)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(a, 10, 64)
}

// wait waits until a number is given, and returns the newest by then. As long as
// nothing happens it asks now and then whether the notifier is there.
func (n *notifier) wait(ctx context.Context, id int64) (int64, error) {
	defer n.cutOn(ctx)()
	waiting, err := n.ask("WAIT_ID " + strconv.FormatInt(id, 10))
	if err != nil {
		return 0, err
	}
	alive := 0
	for {
		patience := n.silence
		if alive != 0 {
			patience = answerTime
		}
		n.conn.SetReadDeadline(time.Now().Add(patience))
		lines, err := n.packet()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && alive == 0 && n.r.Buffered() == 0:
			if alive, err = n.ask("ALIVE"); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, err
		case len(lines) == 2 && lines[0] == "MSGID: "+strconv.Itoa(waiting):
			newest, err := strconv.ParseInt(lines[1], 10, 64)
			if err == nil && newest < id {
				err = errors.New("answer is older than the question")
			}
			return newest, err
		case len(lines) == 2 && lines[0] == "MSGID: "+strconv.Itoa(alive):
			alive = 0
		}
	}
}
