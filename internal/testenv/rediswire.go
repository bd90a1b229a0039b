package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// wireTimeout bounds one exchange with a Redis.
const wireTimeout = 5 * time.Second

// answers reports by nil that a Redis is up: any reply will do, also "NOAUTH" of one with a password.
func answers(addr string) error {
	_, err := ask(addr, "PING")
	var refused redisError
	if errors.As(err, &refused) && !strings.HasPrefix(string(refused), "LOADING") {
		return nil
	}
	return err
}

// redisError is an error reply.
type redisError string

func (e redisError) Error() string { return string(e) }

// ask sends one inline command and returns the reply: a simple string, an integer or a bulk string. What the package
// needs of Redis is four commands at start, which is no reason to link a client.
func ask(addr, command string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, wireTimeout)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(wireTimeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("empty reply")
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", redisError(rest)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return "", fmt.Errorf("reply %q", line)
		}
		bulk := make([]byte, n)
		_, err = io.ReadFull(reader, bulk)
		return string(bulk), err
	default:
		return "", fmt.Errorf("reply %q", line)
	}
}
