package testenv

import (
	"fmt"
	"strings"
	"time"
)

const (
	clusterNodes = 3
	clusterSlots = 16384
)

// RedisClusterServers is a private Redis Cluster of three masters without replicas.
type RedisClusterServers struct {
	Nodes []*RedisServer
}

// StartRedisCluster starts three nodes, shares the slots among them and waits until each sees the whole. Errors: ErrMissing.
func StartRedisCluster() (*RedisClusterServers, error) {
	cluster := &RedisClusterServers{}
	for range clusterNodes {
		node, err := startRedis(RedisOptions{}, true)
		if err != nil {
			cluster.Stop()
			return nil, err
		}
		cluster.Nodes = append(cluster.Nodes, node)
	}
	if err := cluster.join(); err != nil {
		cluster.Stop()
		return nil, err
	}
	return cluster, nil
}

func (c *RedisClusterServers) join() error {
	first := c.Nodes[0]
	for i, node := range c.Nodes {
		commands := []string{
			fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1), // different from the start: nothing left to agree on
			fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*clusterSlots/clusterNodes, (i+1)*clusterSlots/clusterNodes-1),
		}
		if i > 0 {
			commands = append(commands, fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %d", first.port, first.busPort))
		}
		for _, command := range commands {
			if _, err := ask(node.Addr(), command); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
		}
	}
	for _, node := range c.Nodes {
		err := node.process.waitReady(redisReady, func() error {
			info, err := ask(node.Addr(), "CLUSTER INFO")
			if err != nil {
				return err
			}
			for _, line := range []string{"cluster_state:ok", fmt.Sprintf("cluster_known_nodes:%d", clusterNodes)} {
				if !strings.Contains(info, line+"\r\n") {
					time.Sleep(20 * time.Millisecond)
					return fmt.Errorf("no %s", line)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("redis cluster: %w", err)
		}
	}
	return nil
}

// Addrs lists host and port of the nodes.
func (c *RedisClusterServers) Addrs() []string {
	addrs := make([]string, 0, len(c.Nodes))
	for _, node := range c.Nodes {
		addrs = append(addrs, node.Addr())
	}
	return addrs
}

// Stop ends all nodes.
func (c *RedisClusterServers) Stop() {
	for _, node := range c.Nodes {
		node.Stop()
	}
}
