<?php
// The demo's shop: a POST of name and price adds a product, a GET lists all.
// With ?info it says who serves, without asking the database.

header('Content-Type: text/plain; charset=utf-8');
$served_by = getenv("POD_NAME");

if (isset($_GET['info'])) {
    echo "served by {$served_by}, for {$_SERVER['REMOTE_ADDR']}\n";
    exit;
}

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
    $db = mysqli_init();
    $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
    $db->real_connect(getenv('DB_HOST'), getenv('DB_USER'), getenv('DB_PASSWORD'));
    $db->query('CREATE DATABASE IF NOT EXISTS ProductDetails');
    $db->select_db('ProductDetails');
    $db->query('CREATE TABLE IF NOT EXISTS products ('
        . 'id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, '
        . 'price DECIMAL(10,2) NOT NULL, added_by VARCHAR(100) NOT NULL)');

    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        $add = $db->prepare('INSERT INTO products (name, price, added_by) VALUES (?, ?, ?)');
        $add->bind_param('sss', $_POST['name'], $_POST['price'], $served_by);
        $add->execute();
        http_response_code(201);
        echo "added {$_POST['name']} by {$served_by}\n";
        exit;
    }

    echo "served by {$served_by}\n";
    foreach ($db->query('SELECT id, name, price, added_by FROM products ORDER BY id') as $row) {
        echo implode("\t", $row), "\n";
    }
} catch (mysqli_sql_exception $error) {
    http_response_code(503);
    echo "database: {$error->getMessage()}\n";
}
